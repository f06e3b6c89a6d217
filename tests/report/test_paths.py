from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from analyzer.findings import Quote, Report, StationResult
from analyzer.model.forwarding import Clients, Endpoint, Entry
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.kubernetes import Service
from analyzer.model.service_path import EndpointSite, Readiness, ServicePath
from analyzer.model.severity import Severity
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.report.path_layout import fit
from analyzer.report.path_parts import Box, Group, Lane, Tone
from analyzer.report.path_tall import tall
from analyzer.report.path_wide import wide
from analyzer.report.view_paths import PathView, path_views
from analyzer.report.visible import cells
from tests.report import factories as make
from tests.report import paths
from tests.report.paths import A, B, C, found, node_path, site, wanted

BOTH = (wanted(A, B),)


def viewed(
    path: ServicePath, findings: make.Findings | None = None, service: Service | None = None
) -> PathView:
    ids = tuple(f.id for f in findings.found) if findings else ()
    diagnosed = make.diagnosed(
        service or make.service("default", "hostnames"),
        Verdict.BROKEN,
        ids[0] if ids else None,
        rules=StationResult(Station.RULES, Status.FAIL, ids),
    )
    (view,) = path_views(replace(make.report(findings, (diagnosed,)), paths=(path,)))
    return view


def lane_of(observed: tuple[Entry, ...] | None, expected: tuple[Entry, ...] = BOTH) -> Lane:
    (group,) = viewed(paths.path(node_path("node-a", expected, observed))).groups
    (lane,) = group.lanes
    return lane


def test_a_lane_that_is_right_leads_from_client_to_pod() -> None:
    lane = lane_of((found(A, B),))
    (front,) = lane.fronts
    assert (front.client.title, front.address.title) == ("Client", "10.96.0.7:80/TCP")
    assert front.dispatch == Box("KUBE-SERVICES", (), Tone.GOOD)
    assert lane.service
    assert lane.service.title == "KUBE-SVC-ODX2UBAZM7RQWOIU"
    assert lane.service.notes == ("masquerades clients outside the pod network",)
    assert [(b.share, b.chain and b.chain.title, b.pod.title) for b in lane.branches] == [
        ("1/2 (50.0 %)", "KUBE-SEP-10-244-0-5", "hostnames-a"),
        ("1/2 (50.0 %)", "KUBE-SEP-10-244-1-5", "hostnames-b"),
    ]
    assert lane.branches[0].pod.notes == ("node-a · ready",)
    assert {b.pod.tone for b in lane.branches} == {Tone.GOOD}


def skewed() -> Entry:
    entry = found(A, B)
    first, second = entry.targets
    shares = (structs.replace(first, share=0.9), structs.replace(second, share=0.1))
    return structs.replace(entry, targets=shares)


def nowhere() -> Entry:
    entry = found(A, B)
    empty = structs.replace(entry.targets[0], endpoint=None)
    return structs.replace(entry, targets=(empty, entry.targets[1]))


@pytest.mark.parametrize(
    ("observed", "dispatch", "chains"),
    [
        ((found(A, B),), Tone.GOOD, [Tone.GOOD, Tone.GOOD]),
        ((), Tone.MISSING, [Tone.MISSING, Tone.MISSING]),
        (None, Tone.UNKNOWN, [Tone.UNKNOWN, Tone.UNKNOWN]),
        ((found(A),), Tone.GOOD, [Tone.GOOD, Tone.MISSING]),
        ((found(A, B, C),), Tone.GOOD, [Tone.GOOD, Tone.GOOD, Tone.BAD]),
        ((skewed(),), Tone.GOOD, [Tone.BAD, Tone.BAD]),
        ((nowhere(),), Tone.GOOD, [Tone.BAD, Tone.GOOD, Tone.MISSING]),
    ],
    ids=["right", "no rule", "not read", "lacks one", "one too many", "shares", "sends nowhere"],
)
def test_what_differs_stands_out(
    observed: tuple[Entry, ...] | None, dispatch: Tone, chains: list[Tone]
) -> None:
    lane = lane_of(observed)
    assert lane.fronts[0].dispatch
    assert lane.fronts[0].dispatch.tone is dispatch
    assert [b.chain.tone for b in lane.branches if b.chain] == chains


def test_a_refusal_that_is_right_is_no_fault_of_the_rules() -> None:
    lane = lane_of((found(),), (wanted(),))
    assert lane.service == Box("REJECT", ("connection refused", "as it should"), Tone.PLAIN)


def test_a_refusal_where_endpoints_are_says_what_was_expected() -> None:
    lane = lane_of((found(),))
    assert lane.service
    assert lane.service.notes == ("connection refused", "expected: forward")
    assert lane.service.tone is Tone.BAD


def test_pods_that_get_nothing_are_drawn_without_a_rule() -> None:
    idle = (site(A, "hostnames-a", "node-a", Readiness.NOT_READY),)
    view = viewed(paths.path(node_path("node-a", (wanted(),), (found(),)), sites=idle))
    (branch,) = view.groups[0].lanes[0].branches
    assert branch.idle
    assert branch.chain is None
    assert branch.pod.notes == ("10.244.0.5:9376", "node-a · not ready")
    assert [end.endpoint for end in view.table[0].ends] == ["no rule leads here"]


def test_a_service_without_endpoint_says_so() -> None:
    view = viewed(paths.path(node_path("node-a", (wanted(),), (found(),)), sites=()))
    (branch,) = view.groups[0].lanes[0].branches
    assert (branch.pod.title, branch.pod.tone) == ("no endpoint", Tone.MISSING)


def test_nodes_that_do_the_same_are_drawn_once_and_the_wrong_ones_first() -> None:
    nodes = [node_path(n, BOTH, (found(A, B, node=n),)) for n in ("node-a", "node-c")]
    view = viewed(paths.path(*nodes, node_path("node-b", BOTH, (found(A, node="node-b"),))))
    assert [group.nodes for group in view.groups] == [("node-b",), ("node-a", "node-c")]
    assert [group.tone for group in view.groups] == [Tone.MISSING, Tone.GOOD]


def test_addresses_that_lead_to_the_same_endpoints_share_a_lane() -> None:
    expected = (wanted(A, B), wanted(A, B, frontend=paths.NODE_PORT))
    lane = lane_of((found(A, B), found(A, B, frontend=paths.NODE_PORT)), expected)
    titles = [(f.address.title, f.dispatch and f.dispatch.title) for f in lane.fronts]
    assert titles == [("10.96.0.7:80/TCP", "KUBE-SERVICES"), ("30080/TCP", "KUBE-NODEPORTS")]


def test_inside_and_outside_are_lanes_of_their_own_where_they_differ() -> None:
    inside = structs.replace(wanted(A, B, frontend=paths.NODE_PORT), clients=Clients.INTERNAL)
    outside = structs.replace(wanted(A, frontend=paths.NODE_PORT), clients=Clients.EXTERNAL)
    view = viewed(paths.path(node_path("node-a", (inside, outside), None)))
    clients = [lane.fronts[0].client.notes for lane in view.groups[0].lanes]
    assert clients == [("pods and the node itself",), ("clients outside the cluster",)]


def test_three_hundred_endpoints_stay_readable_and_what_is_wrong_is_among_the_shown() -> None:
    many = tuple(Endpoint(f"10.244.{n // 250}.{n % 250 + 1}", 80) for n in range(300))
    sites = tuple(site(e, f"pod-{n}", "node-a") for n, e in enumerate(many))
    lost = many[200]
    served = found(*(e for e in many if e != lost))
    view = viewed(paths.path(node_path("node-a", (wanted(*many),), (served,)), sites=sites))
    (lane,) = view.groups[0].lanes
    assert len(lane.branches) == 8
    assert lane.more == "and 292 more: 292 ready"
    missing = [b.pod.title for b in lane.branches if b.chain and b.chain.tone is Tone.MISSING]
    assert missing == ["pod-200"]
    assert wide(view.groups[0]).height < 600


def test_a_local_policy_of_many_nodes_draws_a_few() -> None:
    ends = [Endpoint(f"10.244.{n}.5", 80) for n in range(9)]
    nodes = [node_path(f"n{n}", (wanted(e),), (found(e),)) for n, e in enumerate(ends)]
    view = viewed(paths.path(*nodes))
    assert len(view.groups) == 4
    assert view.left_out == 5


def stranger(readiness: Readiness) -> EndpointSite:
    return EndpointSite(C, "", "", "", readiness)


@pytest.mark.parametrize(
    ("readiness", "tone", "said"),
    [
        (Readiness.GONE, Tone.BAD, "no pod has this address"),
        (Readiness.UNKNOWN, Tone.UNKNOWN, "readiness not known"),
    ],
)
def test_a_stale_endpoint_tells_who_is_there(readiness: Readiness, tone: Tone, said: str) -> None:
    sites = (*paths.SITES, stranger(readiness))
    view = viewed(paths.path(node_path("node-a", BOTH, (found(A, B, C),)), sites=sites))
    pod = view.groups[0].lanes[0].branches[2].pod
    assert (pod.tone, pod.notes) == (tone, (said,))


# --- findings ---


def marks(group: Group) -> dict[str, tuple[int, ...]]:
    lane = group.lanes[0]
    (front, *_rest) = lane.fronts
    boxes = [("client", front.client), ("address", front.address), ("dispatch", front.dispatch)]
    boxes += [("service", lane.service)]
    boxes += [(f"chain {n}", b.chain) for n, b in enumerate(lane.branches)]
    boxes += [(f"way {n}", b.delivery) for n, b in enumerate(lane.branches)]
    boxes += [(f"pod {n}", b.pod) for n, b in enumerate(lane.branches)]
    return {name: box.marks for name, box in boxes if box and box.marks}


SAVE = "nodes/node-a/iptables-save.txt"


@pytest.mark.parametrize(
    ("quote", "fields", "spots"),
    [
        (Quote(SAVE, 100, "the rule"), {}, {"dispatch"}),
        (Quote(SAVE, 10, "the chain"), {}, {"service"}),
        (Quote(SAVE, 201, "the choice"), {}, {"chain 1"}),
        (Quote(SAVE, 301, "the DNAT"), {}, {"chain 1"}),
        (Quote(SAVE, 7, "some other rule"), {}, {"dispatch"}),
        (Quote("nodes/node-b/iptables-save.txt", 7, "another node"), {}, set()),
        (Quote(SAVE, 7, "another port"), {"port": "metrics"}, set()),
        (Quote(SAVE, 7, "this port"), {"port": "http"}, {"dispatch"}),
        (Quote(SAVE, 7, "advice"), {"severity": Severity.INFO}, set()),
    ],
    ids=lambda value: value.text if isinstance(value, Quote) else "",
)
def test_a_finding_is_marked_where_its_evidence_is(
    quote: Quote, fields: dict[str, object], spots: set[str]
) -> None:
    findings = make.Findings()
    service = paths.HOSTNAMES.service
    findings.add(make.rules_service_missing, "wrong", (quote, ""), service=service, **fields)
    view = viewed(paths.path(node_path("node-a", BOTH, (found(A, B),))), findings)
    assert set(marks(view.groups[0])) == spots
    assert [(m.number, m.shown.message) for m in view.findings] == [(1, "wrong")]


def test_the_cause_is_number_one_and_what_has_no_number_is_counted() -> None:
    findings = make.Findings()
    for number in range(12):
        findings.add(make.rules_service_missing, f"wrong {number}", service=paths.HOSTNAMES.service)
    view = viewed(paths.path(node_path("node-a", BOTH, (found(A, B),))), findings)
    assert [m.shown.message for m in view.findings][:2] == ["wrong 0", "wrong 1"]
    assert (len(view.findings), view.further) == (9, 3)


# --- without kube-proxy ---


def test_a_headless_service_leads_by_name_to_its_pods() -> None:
    service = make.service("default", "hostnames", address="None")
    (group,) = viewed(paths.path(), service=service).groups
    (lane,) = group.lanes
    assert group.nodes == ()
    assert lane.fronts[0].address.title == "hostnames.default.svc"
    assert [b.pod.title for b in lane.branches] == ["hostnames-a", "hostnames-b"]


# --- in place ---


def overlapping(group: Group) -> list[tuple[str, str]]:
    found = []
    for drawing in (wide(group), tall(group)):
        boxes = drawing.boxes
        assert all(
            b.x >= 0 and b.right <= drawing.width and b.bottom <= drawing.height for b in boxes
        )
        for number, one in enumerate(boxes):
            found += [
                (one.title, other.title)
                for other in boxes[number + 1 :]
                if one.x < other.right
                and other.x < one.right
                and one.y < other.bottom
                and other.y < one.bottom
            ]
    return found


def test_no_box_covers_another_and_none_leaves_the_picture() -> None:
    expected = (wanted(A, B), wanted(A, B, frontend=paths.NODE_PORT))
    outside = structs.replace(found(C, frontend=paths.NODE_PORT), clients=Clients.EXTERNAL)
    idle = (*paths.SITES, site(C, "x" * 253, "node-c", Readiness.NOT_READY))
    nodes = (
        node_path("node-a", expected, (found(A, B),)),
        node_path("node-b", expected, (found(A, B, C), outside)),
        node_path("node-c", expected, None),
    )
    view = viewed(paths.path(*nodes, sites=idle))
    assert [overlapping(group) for group in view.groups] == [[], [], []]


@pytest.mark.parametrize(
    ("text", "room", "fitted"),
    [
        ("short", 5, "short"),
        ("KUBE-SVC-ODX2UBAZM7RQWOIU", 11, "KUBE-…RQWOIU"[:5] + "…" + "QWOIU"),
        ("服务服务服务", 7, "服…务"),
    ],
)
def test_names_lose_their_middle(text: str, room: int, fitted: str) -> None:
    assert fit(text, room) == fitted
    assert cells(fit(text, room)) <= room


@pytest.mark.parametrize("mode", [ProxyMode.IPVS, ProxyMode.NFTABLES, ProxyMode.REPLACED])
def test_other_modes_are_drawn_as_far_as_they_are_known(mode: ProxyMode) -> None:
    node = replace(node_path("node-a", BOTH, None), mode=mode)
    view = viewed(paths.path(node))
    titles = [b.title for b in wide(view.groups[0]).boxes]
    assert not [title for title in titles if title.startswith("KUBE-")]
    assert view.groups[0].unread
    assert "what the rules do is not known" in view.summaries[0]


def test_a_report_without_paths_has_no_picture() -> None:
    report: Report = make.report()
    assert path_views(report) == ()


def test_the_service_in_the_worst_state_is_drawn_first() -> None:
    well, ill = (make.service("shop", name) for name in ("a-well", "b-ill"))
    diagnosed = (make.diagnosed(well, Verdict.HEALTHY), make.diagnosed(ill, Verdict.BROKEN))
    node = node_path("node-a", (wanted(),), (found(),))
    drawn = tuple(ServicePath(s.service.key, (node,), ()) for s in diagnosed)
    views = path_views(replace(make.report(services=diagnosed), paths=drawn))
    assert [view.name for view in views] == ["shop/b-ill", "shop/a-well"]

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

import pytest

from analyzer.difference.change import FindingState, Lack, Presence
from analyzer.difference.report import DiffReport
from tests.difference.conftest import Change, Differ, Files, dump, everywhere, objects

HOSTNAMES = ("default", "hostnames")
NODES = ("node-a", "node-b", "node-c")


def rules(node: str) -> str:
    return f"nodes/{node}/iptables-save.txt"


def fates(report: DiffReport) -> dict[FindingState, list[str]]:
    found: dict[FindingState, list[str]] = {}
    for change in report.difference.findings:
        found.setdefault(change.state, []).append(change.identity.slug)
    return found


def nothing(_: Files) -> None:
    pass


def counters(files: Files) -> None:
    for node in NODES:
        files[rules(node)] = re.sub(rb"\[\d+:\d+\]", b"[4711:815]", files[rules(node)])


def order_of_chains(files: Files) -> None:
    """As another run of kube-proxy may write them: the rules within a chain stay in order."""
    for node in NODES:
        out: list[str] = []
        for appended, lines in groupby(
            files[rules(node)].decode().splitlines(), lambda line: "-A " in line
        ):
            block = list(lines)
            if appended:
                chain = [(re.findall(r"-A (\S+)", line)[0], line) for line in block]
                block = [line for _, line in sorted(chain, key=lambda c: c[0], reverse=True)]
            out += block
        files[rules(node)] = ("\n".join(out) + "\n").encode()


def restart_of_kube_proxy(files: Files) -> None:
    for node in NODES:
        path = f"nodes/{node}/processes.txt"
        files[path] = re.sub(rb"(?m)^(\s*)\d+", rb"\g<1>99", files[path])
        files[f"nodes/{node}/kube-proxy.log"] = files[f"nodes/{node}/kube-proxy.log"] * 2


@pytest.mark.parametrize("change", [nothing, counters, order_of_chains, restart_of_kube_proxy])
def test_what_no_client_notices_is_no_difference(change: Change, differ: Differ) -> None:
    report = differ(change)
    assert not report.difference.different
    assert report.difference.forwarding == ()
    assert set(fates(report)) == {FindingState.SAME}


# --- what changed is said ---


def reselect(files: Files) -> None:
    items = objects(files, "services")
    items[HOSTNAMES]["spec"]["selector"] = {"run": "hostnames"}
    dump(files, "services", items)


def test_a_changed_field_is_named_with_both_values(differ: Differ) -> None:
    found = differ(reselect).difference
    (service,) = found.services
    fields = {f.field: (f.old, f.new) for f in service.fields}
    assert fields["selector"] == ("app=hostnames", "run=hostnames")
    assert service.presence is Presence.CHANGED


def without_hostnames(files: Files) -> None:
    items = objects(files, "services")
    del items[HOSTNAMES]
    dump(files, "services", items)


def test_a_service_that_went_is_removed_and_one_that_came_is_added(differ: Differ) -> None:
    gone = differ(without_hostnames).difference
    assert [(str(c.service), c.presence) for c in gone.services] == [
        ("default/hostnames", Presence.REMOVED)
    ]
    come = differ(nothing, old=without_hostnames).difference
    assert [c.presence for c in come.services] == [Presence.ADDED]


def test_expected_forwarding_follows_a_removed_service_and_rules_do_not(differ: Differ) -> None:
    (change,) = differ(without_hostnames).difference.forwarding
    assert change.presence is Presence.REMOVED
    assert [p.node for p in change.expected] == list(NODES)
    assert change.observed == ()


def rejected_on_b(files: Files) -> None:
    text = files[rules("node-b")].decode()
    address = re.findall(r'-d (\S+)/32 .*"default/hostnames:default cluster IP"', text)[0]
    lines = [
        line
        for line in text.splitlines()
        if not (f"-d {address}/32" in line and ("KUBE-SERVICES" in line or "KUBE-SVC" in line))
    ]
    reject = (
        f"[0:0] -A KUBE-SERVICES -d {address}/32 -p tcp -m comment --comment "
        '"default/hostnames:default has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable'
    )
    start = lines.index("*filter")
    commit = lines.index("COMMIT", start)
    lines.insert(commit, reject)
    files[rules("node-b")] = ("\n".join(lines) + "\n").encode()


def test_rules_of_one_node_that_changed_are_told_with_their_lines(differ: Differ) -> None:
    report = differ(rejected_on_b)
    (change,) = report.difference.forwarding
    assert [(f.field, f.old, f.new) for f in change.fields] == [("action", "forward", "reject")]
    assert [str(e) for e in change.lost] == [
        "10.244.0.5:9376",
        "10.244.1.6:9376",
        "10.244.2.7:9376",
    ]
    (place,) = change.observed
    assert (place.node, place.old_chain[:9], place.new_chain) == ("node-b", "KUBE-SVC-", "")
    assert change.expected == ()
    assert place.new_source is not None
    assert "REJECT" in report.new.quotes[place.new_source].text
    assert "rules-reject-leftover" in fates(report)[FindingState.NEW]


def one_share(files: Files) -> None:
    text = files[rules("node-b")].decode()
    files[rules("node-b")] = text.replace("0.33333333349", "0.90000000000", 1).encode()


def test_uneven_shares_are_a_difference(differ: Differ) -> None:
    changes = differ(one_share).difference.forwarding
    assert [[f.field for f in change.fields] for change in changes] == [["shares"]]


# --- rollouts ---


def rollout(files: Files, without: str = "\0") -> None:
    """All pods of hostnames are made anew, with other names and addresses."""
    for old, new in (
        ("hostnames-849695f9c9-c54n9", "hostnames-5d4f8c7b6d-x7k2p"),
        ("hostnames-849695f9c9-jgmqb", "hostnames-5d4f8c7b6d-b2c4d"),
        ("hostnames-849695f9c9-m2pbk", "hostnames-5d4f8c7b6d-zzz99"),
        ("10.244.0.5", "10.244.0.105"),
        ("10.244.1.6", "10.244.1.106"),
        ("10.244.2.7", "10.244.2.107"),
    ):
        for end in ('"', "/32", ":9376", " "):
            everywhere(files, f"{old}{end}", f"{new}{end}", without=without)


def test_a_rollout_is_told_compactly(differ: Differ) -> None:
    found = differ(rollout).difference
    (change,) = found.endpoints
    assert (change.added, change.removed, change.changed) == ((), (), ())
    assert [(p.old.address, p.new.address) for p in change.replaced] == [
        ("10.244.0.5", "10.244.0.105"),
        ("10.244.1.6", "10.244.1.106"),
        ("10.244.2.7", "10.244.2.107"),
    ]
    assert found.forwarding == ()


def test_a_node_that_has_not_followed_a_rollout_is_told(differ: Differ) -> None:
    found = differ(lambda files: rollout(files, without="nodes/node-b/")).difference
    (change,) = found.forwarding
    assert [p.node for p in change.expected] == ["node-b"]
    assert change.observed == ()
    assert [str(e) for e in change.gained] == [
        "10.244.0.105:9376",
        "10.244.1.106:9376",
        "10.244.2.107:9376",
    ]


def unready(files: Files) -> None:
    items = objects(files, "endpointslices")
    for item in items.values():
        if item["metadata"]["labels"].get("kubernetes.io/service-name") == "hostnames":
            item["endpoints"][0]["conditions"] |= {"ready": False, "serving": False}
    dump(files, "endpointslices", items)


def test_an_endpoint_in_another_state_is_changed_not_replaced(differ: Differ) -> None:
    (change,) = differ(unready).difference.endpoints
    assert (change.old_ready, change.new_ready) == (3, 2)
    (pair,) = change.changed
    assert (pair.old.state, pair.new.state) == ("ready", "not ready")
    assert change.replaced == ()


def other_address(files: Files) -> None:
    everywhere(files, "10.100.212.157", "10.100.9.9")


def test_another_cluster_ip_is_one_change_not_two_frontends(differ: Differ) -> None:
    (change,) = differ(other_address).difference.forwarding
    assert change.presence is Presence.CHANGED
    assert [(f.field, f.old, f.new) for f in change.fields] == [
        ("address", "10.100.212.157:80/TCP", "10.100.9.9:80/TCP")
    ]
    assert len(change.observed) == len(change.expected) == len(NODES)


# --- what a side lacks is no removal ---


def lacking(path: str) -> Change:
    def change(files: Files) -> None:
        del files[path]

    return change


def cut(path: str) -> Change:
    def change(files: Files) -> None:
        files[path] = files[path][: len(files[path]) // 2]

    return change


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        pytest.param(lacking("cluster/services.json"), "Services", id="no services"),
        pytest.param(cut("cluster/services.json"), "Services", id="services cut off"),
        pytest.param(cut("cluster/endpointslices.json"), "endpoints", id="slices cut off"),
        pytest.param(lacking(rules("node-b")), "rules of node-b, IPv4", id="no rules"),
    ],
)
@pytest.mark.parametrize("side", [Lack.OLD, Lack.NEW], ids=lambda side: side.value)
def test_what_one_side_lacks_is_said_and_not_taken_for_removed(
    change: Change, subject: str, side: Lack, differ: Differ
) -> None:
    report = differ(change) if side is Lack.NEW else differ(nothing, old=change)
    found = report.difference
    assert (subject, side) in [(blind.subject, blind.lack) for blind in found.blind]
    assert {c.presence for c in found.services} <= {Presence.CHANGED}
    assert {c.presence for c in found.forwarding} <= {Presence.CHANGED}
    assert all(not (c.added or c.removed) for c in found.endpoints)
    assert found.different


def test_what_both_sides_lack_is_said_and_no_difference(differ: Differ) -> None:
    found = differ(lacking(rules("node-b")), old=lacking(rules("node-b"))).difference
    assert [(b.subject, b.lack) for b in found.blind] == [("rules of node-b, IPv4", Lack.BOTH)]
    assert found.blind[0].command == "iptables-save -c"
    assert not found.different


def both(*changes: Change) -> Change:
    def change(files: Files) -> None:
        for one in changes:
            one(files)

    return change


def test_a_finding_that_could_not_be_looked_for_is_neither_new_nor_gone(differ: Differ) -> None:
    unread = differ(both(one_share, lacking(rules("node-b"))), old=one_share)
    assert fates(unread)[FindingState.UNSEEN_IN_NEW] == ["rules-probability-skewed"]
    (change,) = (c for c in unread.difference.findings if c.state is FindingState.UNSEEN_IN_NEW)
    assert change.reason == "nodes/node-b/iptables-save.txt is not in the bundle"


def test_a_finding_of_an_old_bundle_without_its_input_is_not_called_new(differ: Differ) -> None:
    report = differ(one_share, old=lacking(rules("node-b")))
    assert fates(report)[FindingState.UNSEEN_IN_OLD] == ["rules-probability-skewed"]
    assert FindingState.NEW not in fates(report)


@pytest.mark.parametrize(
    ("old", "new", "state"),
    [
        pytest.param(nothing, one_share, FindingState.NEW, id="new"),
        pytest.param(one_share, nothing, FindingState.GONE, id="gone"),
        pytest.param(one_share, one_share, FindingState.SAME, id="same"),
    ],
)
def test_findings_are_new_gone_or_the_same(
    old: Change, new: Change, state: FindingState, differ: Differ
) -> None:
    assert "rules-probability-skewed" in fates(differ(new, old=old))[state]


# --- nodes ---


def without_node(name: str) -> Change:
    def change(files: Files) -> None:
        items = objects(files, "nodes")
        del items["", name]
        dump(files, "nodes", items)
        for path in [p for p in files if p.startswith(f"nodes/{name}/")]:
            del files[path]

    return change


def test_a_node_that_came_or_went_is_told(differ: Differ) -> None:
    gone = differ(without_node("node-c")).difference.nodes
    assert [(n.name, n.presence) for n in gone] == [("node-c", Presence.REMOVED)]


def test_a_node_is_not_gone_where_nobody_lists_the_nodes(differ: Differ) -> None:
    found = differ(both(without_node("node-c"), lacking("cluster/nodes.json"))).difference
    assert found.nodes == ()
    assert ("nodes", Lack.NEW) in [(b.subject, b.lack) for b in found.blind]


def test_another_backend_is_told_and_forwards_the_same(differ: Differ) -> None:
    def legacy(files: Files) -> None:
        for node in NODES:
            text = files[rules(node)]
            files[rules(node)] = text.replace(
                b"iptables-nft-save v1.8.9 (nf_tables)", b"iptables-save v1.8.9 (legacy)"
            )

    found = differ(legacy).difference
    assert {f.field for n in found.nodes for f in n.fields} == {"backend"}
    assert found.forwarding == ()


def test_two_nodes_of_one_bundle_are_compared(
    nodes_differ: Callable[..., DiffReport],
) -> None:
    report = nodes_differ(one_share, "node-a", "node-b")
    found = report.difference
    assert (found.services, found.endpoints) == ((), ())
    own = [c for c in found.forwarding if not c.expected]
    assert [[f.field for f in c.fields] for c in own] == [["shares"]]
    assert own[0].observed[0].node == "node-a, node-b"
    assert fates(report)[FindingState.NEW] == ["rules-probability-skewed"]


def test_a_local_policy_explains_what_two_nodes_do_differently(nodes_differ: Differ) -> None:
    changes = nodes_differ(nothing, "node-a", "node-b").difference.forwarding
    assert {str(c.service_port) for c in changes} == {
        "shop/cache:redis",
        "shop/orders-lb:http",
        "shop/orders:http",
    }
    assert all(c.observed and c.expected for c in changes)


def test_a_node_and_itself_do_not_differ(nodes_differ: Differ) -> None:
    assert not nodes_differ(nothing, "node-b", "node-b").difference.different


def test_a_proxy_mode_that_a_side_does_not_tell_is_no_change(differ: Differ) -> None:
    def bare(files: Files) -> None:
        of_nodes = [p for p in files if p.startswith("nodes/")]
        for path in (*of_nodes, "cluster/configmaps.json", "cluster/pods.json"):
            del files[path]

    assert differ(bare).difference.nodes == ()


def test_an_address_that_a_node_may_leave_out_is_no_forwarding(differ: Differ) -> None:
    """Where a node has addresses of IPv4 only, kube-proxy may do without the rules of the other family."""

    def of_ipv4(files: Files) -> None:
        nodes = objects(files, "nodes")
        for node in nodes.values():
            addresses = node["status"]["addresses"]
            node["status"]["addresses"] = [a for a in addresses if ":" not in a["address"]]
        dump(files, "nodes", nodes)

    def single_stack(files: Files) -> None:
        services = objects(files, "services")
        spec = services["shop", "gateway"]["spec"]
        spec["clusterIPs"] = spec["clusterIPs"][:1]
        dump(files, "services", services)

    found = differ(both(of_ipv4, single_stack), old=of_ipv4).difference
    assert [str(c.service) for c in found.services] == ["shop/gateway"]
    assert found.forwarding == ()


# --- what is absent is no repair ---


def no_kube_proxy_on_b(files: Files) -> None:
    files["nodes/node-b/processes.txt"] = b"  PID STAT COMMAND\n"
    for answer in ("healthz.json", "configz.json", "mode.txt"):
        del files[f"nodes/node-b/kube-proxy-{answer}"]


def without_counters(files: Files) -> None:
    for node in NODES:
        files[rules(node)] = re.sub(rb"(?m)^\[\d+:\d+\] ", b"", files[rules(node)])


@pytest.mark.parametrize(
    ("slug", "old", "new", "reason"),
    [
        pytest.param(
            "source-ranges-exclude",
            nothing,
            without_counters,
            "the dump of node-a has no counters",
            id="counters",
        ),
        pytest.param(
            "kube-proxy-not-running",
            no_kube_proxy_on_b,
            lacking("nodes/node-b/processes.txt"),
            "nodes/node-b/processes.txt is not in the bundle",
            id="file that the check may do without",
        ),
    ],
)
def test_a_finding_whose_proof_is_absent_now_is_not_gone(
    slug: str, old: Change, new: Change, reason: str, differ: Differ
) -> None:
    found = differ(new, old=old).difference.findings
    told = {c.identity.slug: (c.state, c.reason) for c in found}
    assert told[slug] == (FindingState.UNSEEN_IN_NEW, reason)


def test_a_finding_whose_proof_was_absent_is_not_new(differ: Differ) -> None:
    found = differ(no_kube_proxy_on_b, old=lacking("nodes/node-b/processes.txt"))
    assert fates(found)[FindingState.UNSEEN_IN_OLD] == ["kube-proxy-not-running"]


def test_what_was_found_on_a_node_that_went_is_gone(differ: Differ) -> None:
    found = differ(without_node("node-b"), old=no_kube_proxy_on_b)
    assert "kube-proxy-not-running" in fates(found)[FindingState.GONE]


def test_what_another_node_could_not_show_is_not_found_on_one_only(nodes_differ: Differ) -> None:
    change = both(no_kube_proxy_on_b, lacking("nodes/node-a/processes.txt"))
    found = nodes_differ(change, "node-a", "node-b")
    assert fates(found)[FindingState.UNSEEN_IN_OLD] == ["kube-proxy-not-running"]
    assert fates(nodes_differ(no_kube_proxy_on_b, "node-a", "node-b"))[FindingState.NEW]

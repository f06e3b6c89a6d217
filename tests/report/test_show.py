from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from analyzer.model.forwarding import (
    Action,
    Alternative,
    Clients,
    Endpoint,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
    Masquerade,
    Protocol,
    ServiceKey,
    ServicePortName,
    Target,
)
from analyzer.model.ruleset import Family
from analyzer.model.source import ObjectRef, SourceRef
from analyzer.report.show import place_of, render_forwarding
from analyzer.report.visible import HIDDEN

SAVE = "nodes/node-a/iptables-save.txt"
SLICES = "cluster/endpointslices.json"
HOSTNAMES = ServicePortName(ServiceKey("default", "hostnames"), "http")
CLUSTER_IP = Frontend(FrontendKind.CLUSTER_IP, "10.96.0.7", Protocol.TCP, 80)
NODE_PORT = Frontend(FrontendKind.NODE_PORT, "", Protocol.TCP, 30080)
A, B, C = (Endpoint(f"10.244.{n}.5", 9376) for n in range(3))


def expected(*endpoints: Endpoint, frontend: Frontend = CLUSTER_IP) -> Entry:
    return Entry(
        frontend,
        HOSTNAMES,
        Action.FORWARD,
        ObjectRef("cluster/services.json", 3, ("spec", "ports", 0)),
        targets=tuple(
            Target(endpoint, 1 / len(endpoints), ObjectRef(SLICES, 0, ("endpoints", number)))
            for number, endpoint in enumerate(endpoints)
        ),
        masquerade=Masquerade.OFF_CLUSTER,
    )


def observed(*endpoints: Endpoint, frontend: Frontend = CLUSTER_IP) -> Entry:
    return Entry(
        frontend,
        HOSTNAMES,
        Action.FORWARD,
        SourceRef(SAVE, 100),
        targets=tuple(
            Target(
                endpoint,
                1 / len(endpoints),
                SourceRef(SAVE, 110 + number),
                chain=f"KUBE-SEP-{number}",
                destination=SourceRef(SAVE, 120 + number),
            )
            for number, endpoint in enumerate(endpoints)
        ),
        masquerade=Masquerade.OFF_CLUSTER,
        chain="KUBE-SVC-HOSTNAMES",
    )


def show(found: list[Entry] | None, wanted: list[Entry], reason: str = "") -> str:
    return render_forwarding(
        node_name="node-a",
        observed=None if found is None else ForwardingTable(Family.IPV4, tuple(found)),
        expected=ForwardingTable(Family.IPV4, tuple(wanted)),
        reason=reason,
    )


CASES = {
    "as-expected": ([observed(A, B, C)], [expected(A, B, C)]),
    "not-read": (None, [expected(A, B)]),
    "stale": ([observed(A, B)], [expected(B, C)]),
    "not-served": ([], [expected(A), expected(A, frontend=NODE_PORT)]),
    "not-expected": (
        [observed(A), structs.replace(observed(B, frontend=NODE_PORT), service_port=None)],
        [],
    ),
    "rejected": (
        [Entry(CLUSTER_IP, HOSTNAMES, Action.REJECT, SourceRef(SAVE, 9))],
        [expected(A)],
    ),
    "other-terms": (
        [
            structs.replace(
                observed(A), masquerade=Masquerade.ALWAYS, source_ranges=("192.0.2.0/24",)
            )
        ],
        [structs.replace(expected(A), affinity_seconds=10800)],
    ),
    "wrong-share": (
        [
            structs.replace(
                observed(A, B),
                targets=tuple(
                    structs.replace(target, share=share)
                    for target, share in zip(observed(A, B).targets, (0.9, 0.1), strict=True)
                ),
            )
        ],
        [expected(A, B)],
    ),
    "split-clients": (
        [
            structs.replace(observed(A), clients=Clients.INTERNAL),
            Entry(CLUSTER_IP, HOSTNAMES, Action.DROP, SourceRef(SAVE, 7), clients=Clients.EXTERNAL),
        ],
        [expected(A)],
    ),
    "alternatives": (
        [observed(A)],
        [
            structs.replace(
                expected(A, B),
                alternatives=(Alternative(Action.FORWARD, frozenset({A}), "before 1.26"),),
            )
        ],
    ),
    "empty-chain": (
        [
            structs.replace(
                observed(A),
                targets=(Target(None, 1.0, SourceRef(SAVE, 110), chain="KUBE-SEP-0"),),
            )
        ],
        [expected(A)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_there_stands_beside_what_should_be(
    case: str, golden: Callable[[str, str], None]
) -> None:
    found, wanted = CASES[case]
    golden(f"show-{case}.txt", show(found, wanted, reason="its mode is nftables"))


def test_nothing_is_marked_where_all_is_as_expected() -> None:
    text = show(*CASES["as-expected"])
    assert "expected" not in text
    assert text.count("1/3 (33.3 %)") == 3


def test_stale_endpoints_are_marked_and_missing_ones_added() -> None:
    lines = show(*CASES["stale"]).split("\n")
    assert [line for line in lines if "+ not expected" in line and "10.244.0.5:9376" in line]
    assert [line for line in lines if "- expected" in line and "10.244.2.5:9376" in line]


def test_what_an_alternative_allows_is_no_surplus() -> None:
    either = Alternative(Action.FORWARD, frozenset({A, B}), "before 1.26")
    assert "not expected" not in show(
        [observed(A, B)], [structs.replace(expected(A), alternatives=(either,))]
    )


def test_translation_comes_before_refusal() -> None:
    refusal = Entry(CLUSTER_IP, HOSTNAMES, Action.REJECT, SourceRef(SAVE, 9))
    empty = structs.replace(observed(A), targets=())
    assert "reject" not in show([refusal, observed(A)], [expected(A)])
    assert "reject" in show([empty, refusal], [expected(A)])


def test_an_entry_that_may_be_absent_is_not_missed() -> None:
    assert "- expected" not in show([], [structs.replace(expected(A), optional=True)])


def test_without_rules_only_what_is_expected_is_shown() -> None:
    text = show(None, [expected(A)], reason="its mode is nftables")
    assert "expected only: its mode is nftables" in text
    assert "- expected" not in text


def test_several_trees_are_in_order_and_the_unknown_last() -> None:
    other = ServicePortName(ServiceKey("default", "a-first"), "")
    text = show(
        [
            structs.replace(observed(A, frontend=NODE_PORT), service_port=None),
            structs.replace(
                observed(A), service_port=other, frontend=structs.replace(CLUSTER_IP, port=81)
            ),
        ],
        [expected(A)],
    )
    _, *roots = text.strip().split("\n\n")
    assert [root.split("\n")[0] for root in roots] == [
        "default/a-first",
        "default/hostnames:http",
        "of no known Service",
    ]


def test_hostile_names_cannot_control_the_terminal() -> None:
    name = "\x1b[2J\u202e\n"
    entry = structs.replace(
        observed(A), chain=name, service_port=ServicePortName(ServiceKey(name, name), name)
    )
    text = render_forwarding(
        node_name=name,
        observed=ForwardingTable(Family.IPV4, (entry,)),
        expected=ForwardingTable(Family.IPV4),
        reason=name,
    )
    assert HIDDEN.search(text.replace("\n", "")) is None


@pytest.mark.parametrize(
    ("ref", "place"),
    [
        (SourceRef(SAVE, 7), f"{SAVE}:7"),
        (ObjectRef(SLICES, 3, ("endpoints", 0)), f"{SLICES} $.items[3].endpoints[0]"),
        (ObjectRef("cluster/version.json", -1), "cluster/version.json $"),
    ],
)
def test_places_are_written_as_a_reader_finds_them(ref: SourceRef | ObjectRef, place: str) -> None:
    assert place_of(ref) == place

from __future__ import annotations

import pytest
from msgspec.structs import replace

from analyzer.difference.treatments import deciding, lost_and_gained, treatment_changes
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
    Target,
)
from analyzer.model.ruleset import Family
from analyzer.model.source import SourceRef

HERE = SourceRef("rules.txt", 1)
FRONTEND = Frontend(FrontendKind.CLUSTER_IP, "10.96.0.9", Protocol.TCP, 80)
ONE, TWO, THREE = (Endpoint(f"10.244.0.{n}", 8080) for n in (1, 2, 3))


def forwarding(*endpoints: Endpoint) -> Entry:
    targets = tuple(Target(e, 1 / len(endpoints), HERE) for e in endpoints)
    return Entry(FRONTEND, None, Action.FORWARD, HERE, targets=targets)


REJECT = Entry(FRONTEND, None, Action.REJECT, HERE)
DROP = Entry(FRONTEND, None, Action.DROP, HERE)


def changed(old: Entry, new: Entry) -> dict[str, tuple[str, str]]:
    return {f.field: (f.old, f.new) for f in treatment_changes(old, new)}


@pytest.mark.parametrize(
    ("entries", "decides"),
    [
        pytest.param((REJECT, forwarding(ONE)), 1, id="translation comes before refusal"),
        pytest.param((forwarding(), REJECT), 1, id="an empty chain translates nothing"),
        pytest.param((forwarding(),), 0, id="an empty chain alone"),
    ],
)
def test_the_entry_that_decides(entries: tuple[Entry, ...], decides: int) -> None:
    table = ForwardingTable(Family.IPV4, entries)
    assert deciding(table, FRONTEND, Clients.INTERNAL) is entries[decides]


@pytest.mark.parametrize(
    ("new", "fields"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"chain": "KUBE-SVC-OTHER"}, {}, id="name of a chain"),
        pytest.param({"masquerade": None}, {}, id="unknown masquerading"),
        pytest.param(
            {"masquerade": Masquerade.ALWAYS},
            {"masquerade": ("never", "all clients")},
            id="masquerading",
        ),
        pytest.param({"affinity_seconds": 60}, {"affinity": ("", "60 s")}, id="affinity"),
        pytest.param(
            {"source_ranges": ("10.0.0.0/8",)},
            {"source ranges": ("", "10.0.0.0/8")},
            id="source ranges",
        ),
        pytest.param({"action": Action.DROP}, {"action": ("forward", "drop")}, id="action alone"),
    ],
)
def test_terms_that_differ(new: dict[str, object], fields: dict[str, tuple[str, str]]) -> None:
    old = replace(forwarding(ONE), masquerade=Masquerade.NEVER)
    assert changed(old, replace(old, **new)) == fields  # type: ignore[arg-type]


def test_what_is_right_as_well_is_no_difference() -> None:
    """Where kube-proxy's version is not known, the API objects call for either."""
    open_ = replace(
        forwarding(ONE), alternatives=(Alternative(Action.DROP, frozenset({ONE, TWO}), "1.24"),)
    )
    assert changed(DROP, open_) == changed(open_, DROP) == {}
    assert lost_and_gained(forwarding(ONE, TWO), open_, {}) == ((), ())
    assert lost_and_gained(forwarding(ONE, THREE), open_, {}) == ((THREE,), ())


def test_an_endpoint_that_took_anothers_place_is_neither_lost_nor_gained() -> None:
    old, new = forwarding(ONE, TWO), forwarding(THREE)
    assert lost_and_gained(old, new, {ONE: THREE}) == ((TWO,), ())
    assert lost_and_gained(old, new, {}) == ((ONE, TWO), (THREE,))

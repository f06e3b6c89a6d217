"""What entries allow, and which entries of two tables stand against each other."""

from __future__ import annotations

import pytest

from analyzer.model.forwarding import (
    Action,
    Alternative,
    Clients,
    Endpoint,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
    Protocol,
    Target,
)
from analyzer.model.ruleset import Family
from analyzer.model.source import NOWHERE

ONE, TWO, THREE = (Endpoint(f"10.244.0.{n}", 80) for n in (1, 2, 3))
HTTP = Frontend(FrontendKind.CLUSTER_IP, "10.96.0.5", Protocol.TCP, 80)
HTTPS = Frontend(FrontendKind.CLUSTER_IP, "10.96.0.5", Protocol.TCP, 443)


def entry(frontend: Frontend = HTTP, clients: Clients = Clients.ALL, *others: Alternative) -> Entry:
    targets = tuple(Target(e, 0.5, NOWHERE) for e in (ONE, TWO))
    return Entry(
        frontend, None, Action.FORWARD, NOWHERE, clients, targets, alternatives=tuple(others)
    )


def test_without_alternatives_everything_is_required() -> None:
    certain = entry()
    assert certain.required_endpoints == certain.allowed_endpoints == {ONE, TWO}
    assert certain.allowed_actions == {Action.FORWARD}


def test_alternatives_allow_more_and_require_less() -> None:
    other = Alternative(Action.FORWARD, frozenset({TWO, THREE}), "")
    refused = Alternative(Action.DROP, frozenset(), "")
    assert entry(HTTP, Clients.ALL, other).required_endpoints == {TWO}
    assert entry(HTTP, Clients.ALL, other).allowed_endpoints == {ONE, TWO, THREE}
    assert entry(HTTP, Clients.ALL, other, refused).required_endpoints == frozenset()
    assert entry(HTTP, Clients.ALL, refused).allowed_actions == {Action.FORWARD, Action.DROP}


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (Clients.ALL, Clients.INTERNAL, True),
        (Clients.EXTERNAL, Clients.ALL, True),
        (Clients.INTERNAL, Clients.INTERNAL, True),
        (Clients.INTERNAL, Clients.EXTERNAL, False),
    ],
)
def test_counterparts_have_the_frontend_and_some_clients_in_common(
    one: Clients, other: Clients, overlap: bool
) -> None:
    table = ForwardingTable(Family.IPV4, (entry(HTTPS), entry(HTTP, other)))
    assert bool(table.counterparts(entry(HTTP, one))) is overlap

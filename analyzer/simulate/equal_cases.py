"""Equal cases share a trace: clients that nothing which the trace looked at tells apart.

A trace looks at chains and at hosts. Their rules, routes and settings name addresses, one by one or by blocks.
Another client behind the same host that asks the same, that none of them names alone and that is in the same blocks
has the same trace, with its own address in place of the first one's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from analyzer.model.ruleset import Family
from analyzer.simulate.address import family_of, number, spell
from analyzer.simulate.atlas import Atlas, HostSite, Outside, Place
from analyzer.simulate.client import client_address
from analyzer.simulate.host import PodSite
from analyzer.simulate.machine import loopback
from analyzer.simulate.naming import Naming, Test, named_by_host, named_in
from analyzer.simulate.outcome import Case, Trace
from analyzer.simulate.packet import EPHEMERAL
from analyzer.simulate.query import Query
from analyzer.simulate.sight import Sight
from analyzer.simulate.translation import destination_back

_MOST = 20_000
"""Traces that are kept."""

_MANY = 64
"""Larger sets of addresses are looked into where they are, smaller ones are put together."""


class EqualCases:
    """The traces that a simulator has made."""

    def __init__(self, atlas: Atlas, sight: Sight) -> None:
        self._atlas = atlas
        self._sight = sight
        self._shared: dict[_Asked, list[_Shared]] = defaultdict(list)
        self._alone: dict[Query, Trace] = {}
        self._of_host: dict[tuple[str, Family], Naming] = {}
        self._of_network = named_in(atlas.network.pod_ranges)
        self._tests: dict[frozenset[Test], _Tests] = {}
        self._clients: dict[tuple[Place, Family], int | None] = {}
        self._kept = 0

    def find(self, query: Query, start: Place) -> Trace | None:
        """Return the trace of an equal case, told for this client, or None where there is none yet."""
        client = self._client(query, start)
        if client is not None:
            for shared in self._shared.get(_asked(query, start), ()):
                if shared.holds(client):
                    return shared.case.trace_for(spell(shared.family, client))
        return self._alone.get(query)

    def keep(self, query: Query, start: Place, trace: Trace) -> Trace:
        """Keep what has just been traced for all whom it holds for; return it as one of its case."""
        if self._kept >= _MOST:
            return trace
        self._kept += 1
        client = self._client(query, start)
        shared = None if client is None else self._shared_by(trace, query, start, client)
        if shared is None:
            case = Case.of(trace, "", "\0")
            self._alone[query] = case.trace_for("")
        else:
            case = shared.case
            self._shared[_asked(query, start)].append(shared)
        return case.trace_for(case.client)

    def _client(self, query: Query, start: Place) -> int | None:
        """Return the address of a client that may have its like, or None for one that has none."""
        if (
            isinstance(start, HostSite)
            or query.source_port is not None
            or _is_loopback(query.address)
        ):
            return None
        known = (start, family_of(query.address))
        if known not in self._clients:
            self._clients[known] = self._own_address(*known)
        return self._clients[known]

    def _own_address(self, start: PodSite | Outside, family: Family) -> int | None:
        address = client_address(self._atlas, start, family, destination=0)
        owner = None if address is None else self._atlas.pods.get(address)
        usual = owner is start if isinstance(start, PodSite) else owner is None
        return address if usual and address not in self._atlas.owner_of else None

    def _shared_by(self, trace: Trace, query: Query, start: Place, client: int) -> _Shared | None:
        """Return for whom a trace holds, or None where that is this client alone."""
        namings = self._namings(query)
        singles = _put_together(n.singles for n in namings)
        if any(n.computes for n in namings) or any(client in s for s in singles):
            return None
        family = family_of(query.address)
        case = Case.of(trace, spell(family, client), destination_back(family, client, EPHEMERAL))
        name = start.name if isinstance(start, PodSite) else case.client
        if not case.tells_only_the_address(name):
            return None
        tests = frozenset[Test]().union(*(n.tests for n in namings))
        known = self._tests.setdefault(tests, _Tests(tests))
        return _Shared(case, family, singles, known, known.answers(client))

    def _namings(self, query: Query) -> list[Naming]:
        """Return what has been named on the way of the trace that was just made."""
        family = family_of(query.address)
        found = [self._of_network, named_in([query.address])]
        found += (self._named_by_host(host, family) for host in self._sight.hosts if host)
        found += (chain.naming for chain in self._sight.chains)
        return found

    def _named_by_host(self, host: str, family: Family) -> Naming:
        if (host, family) not in self._of_host:
            self._of_host[host, family] = named_by_host(self._atlas.machines[host], family)
        return self._of_host[host, family]


@lru_cache(maxsize=1 << 16)
def _is_loopback(text: str) -> bool:
    address = number(text)
    return address is not None and loopback(family_of(text), address)


class _Asked(NamedTuple):
    """A query, all but the client's address."""

    from_pod: bool
    host: str
    address: str
    port: int
    protocol: str


def _asked(query: Query, start: Place) -> _Asked:
    assert not isinstance(start, HostSite)
    from_pod = isinstance(start, PodSite)
    return _Asked(from_pod, start.host, query.address, query.port, query.protocol)


class _Tests:
    """What tells addresses apart, with the answers so far."""

    def __init__(self, tests: frozenset[Test]) -> None:
        self._tests = tuple(tests)
        self._answers: dict[int, tuple[int, ...]] = {}

    def answers(self, address: int) -> tuple[int, ...]:
        """Return what comes out for an address."""
        found = self._answers.get(address)
        if found is None:
            found = self._answers[address] = tuple(t.holds(address) for t in self._tests)
        return found


class _Shared(NamedTuple):
    """A case with the clients that it holds for."""

    case: Case
    family: Family
    singles: tuple[frozenset[int], ...]
    tests: _Tests
    answers: tuple[int, ...]

    def holds(self, client: int) -> bool:
        """Tell whether nothing tells a client from the one that was traced."""
        for singles in self.singles:
            if client in singles:
                return False
        return self.tests.answers(client) == self.answers


def _put_together(sets: Iterable[frozenset[int]]) -> tuple[frozenset[int], ...]:
    listed = list(sets)
    small = frozenset[int]().union(*(s for s in listed if len(s) <= _MANY))
    return (small, *(s for s in listed if len(s) > _MANY))

"""Where a connection ends."""

from __future__ import annotations

from analyzer.simulate.address import number
from analyzer.simulate.atlas import Atlas, HostSite, Outside, Place
from analyzer.simulate.conversation import Conversation
from analyzer.simulate.equal_cases import EqualCases
from analyzer.simulate.fold import fold
from analyzer.simulate.host import Network
from analyzer.simulate.outcome import Trace
from analyzer.simulate.query import FromHost, FromOutside, FromPod, Origin, Query
from analyzer.simulate.question import Budget
from analyzer.simulate.sight import Sight

__all__ = ["FromHost", "FromOutside", "FromPod", "Origin", "Query", "Simulator"]


class Simulator:
    """Answers queries about one network; rules are compiled when a packet first reaches them."""

    def __init__(self, network: Network, *, indexed: bool = True, sharing: bool = True) -> None:
        """Prepare; without index, and without sharing of equal cases, the answers are the same."""
        self._budget = Budget()
        self._sight = Sight()
        self.atlas = Atlas(network, self._budget, self._sight, indexed=indexed)
        self._cases = EqualCases(self.atlas, self._sight) if sharing else None

    def trace(self, query: Query) -> Trace:
        """Follow a connection attempt to every end that it may have.

        Raises `ValueError` where the destination is no address or the origin is not in the network.
        """
        start = self._place(query)
        cases = self._cases
        if cases is None:
            return self._traced(query, start)
        return cases.find(query, start) or cases.keep(query, start, self._traced(query, start))

    def _traced(self, query: Query, start: Place) -> Trace:
        self._budget.renew()
        self._sight.renew()
        talk = Conversation(self.atlas, self._budget, self._sight, query, start)
        return fold(talk.leaves())

    def _place(self, query: Query) -> Place:
        match query.origin:
            case FromPod(name):
                pod = self.atlas.pod_named.get(name)
                if pod is None:
                    raise ValueError(f"no pod {name} with an address")
                return pod
            case FromHost(name):
                if name not in self.atlas.machines:
                    raise ValueError(f"no node {name}")
                return HostSite(name)
            case FromOutside(address, host):
                value = number(address)
                if value is None or host not in self.atlas.machines:
                    raise ValueError(f"no address and node: {address}@{host}")
                return Outside(value, host)

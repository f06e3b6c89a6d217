"""Where a connection ends: the request, the answer's way back, and the client's next packet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from analyzer.model.ruleset import Family
from analyzer.simulate.address import family_of, number, spell
from analyzer.simulate.atlas import Atlas, HostSite, Outside, Place
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Leg, Step
from analyzer.simulate.fold import Leaf, fold
from analyzer.simulate.host import Network, PodSite
from analyzer.simulate.journey import Arrived, Journey
from analyzer.simulate.machine import loopback
from analyzer.simulate.outcome import Backend, Trace, Verdict
from analyzer.simulate.packet import EPHEMERAL, Flow, Packet, Ports, TcpFlags
from analyzer.simulate.question import Budget
from analyzer.simulate.routing import RouteKey, RouteKind

_VERDICTS = {
    Fate.DROPPED: Verdict.DROPPED,
    Fate.REJECTED: Verdict.REJECTED,
    Fate.UNROUTABLE: Verdict.UNROUTABLE,
    Fate.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}

replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class FromPod:
    """A client in a pod with a network of its own."""

    pod: str
    """`namespace/name`."""


@dataclass(frozen=True, slots=True)
class FromHost:
    """A client on a node, or in a pod that uses its node's network."""

    host: str


@dataclass(frozen=True, slots=True)
class FromOutside:
    """A client outside of the cluster."""

    address: str
    host: str
    """The node that receives its packets."""


Origin = FromPod | FromHost | FromOutside


@dataclass(frozen=True, slots=True)
class Query:
    """One connection attempt."""

    origin: Origin
    address: str
    port: int
    protocol: str = "tcp"
    """`tcp`, `udp` or `sctp`."""

    source_port: int | None = None
    """None for whichever the client takes."""


class Simulator:
    """Answers queries about one network; rules are compiled when a packet first reaches them."""

    def __init__(self, network: Network, *, indexed: bool = True) -> None:
        self._budget = Budget()
        self.atlas = Atlas(network, self._budget, indexed=indexed)

    def trace(self, query: Query) -> Trace:
        """Follow a connection attempt to every end that it may have.

        Raises `ValueError` where the destination is no address or the origin is not in the network.
        """
        self._budget.renew()
        start = self._place(query)
        return fold(Conversation(self.atlas, self._budget, query, start).leaves())

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


class Conversation:
    """One connection attempt on its way."""

    def __init__(self, atlas: Atlas, budget: Budget, query: Query, start: Place) -> None:
        self._atlas = atlas
        self._journey = Journey(atlas, budget)
        self._query = query
        self._start = start
        destination = number(query.address)
        if destination is None:
            raise ValueError(f"not an address: {query.address}")
        self._destination = destination
        self._family = family_of(query.address)

    def leaves(self) -> Iterator[Leaf]:
        """Yield the end of every branch."""
        source = self._source()
        if source is None:
            yield self._unreachable()
            return
        ports = Ports(self._query.port, self._query.port)
        chosen = self._query.source_port
        own = EPHEMERAL if chosen is None else Ports(chosen, chosen)
        flow = Flow(source, own, self._destination, ports)
        for end in self._journey.travel(Branch(self._packet(flow, Leg.REQUEST)), self._start):
            if isinstance(end, Ending):
                yield self._ended(end)
            else:
                yield from self._after_request(end, flow)

    def _packet(self, flow: Flow, leg: Leg) -> Packet:
        flags = TcpFlags.NONE
        if self._query.protocol == "tcp":
            flags = {
                Leg.REQUEST: TcpFlags.SYN,
                Leg.REPLY: TcpFlags.SYN | TcpFlags.ACK,
                Leg.DATA: TcpFlags.ACK,
            }[leg]
        return Packet(self._family, self._query.protocol, flow, flags=flags)

    # --- the client's address ---

    def _source(self) -> int | None:
        """Return the address that the client takes, or None where it has none that leads there."""
        match self._start:
            case PodSite(addresses=texts):
                if loopback(self._family, self._destination):
                    return self._destination
                own = (number(t) for t in texts if family_of(t) is self._family)
                return next((v for v in own if v is not None), None)
            case Outside(address):
                return address
            case HostSite(name):
                return self._host_source(name)

    def _host_source(self, name: str) -> int | None:
        machine = self._atlas.machines[name]
        answer = machine.routes(self._family).lookup(RouteKey(self._destination))
        if answer.preferred_source is not None:
            return answer.preferred_source
        if answer.kind is RouteKind.LOCAL:
            return self._destination
        if not answer.hops:
            return None
        hop = answer.hops[0]
        target = self._destination if hop.gateway is None else hop.gateway
        return machine.source_towards(self._family, hop.device, target)

    def _unreachable(self) -> Leaf:
        text = spell(self._family, self._destination)
        name = self._start.name if isinstance(self._start, PodSite | HostSite) else ""
        version = "IPv4" if self._family is Family.IPV4 else "IPv6"
        reason = f"{name} has no route to {text}, or no {version} address"
        step = Step(name, Leg.REQUEST, None, "", "", None, "no route", "network unreachable")
        branch = Branch(self._packet(Flow(0, EPHEMERAL, self._destination, EPHEMERAL), Leg.REQUEST))
        return Leaf(branch.stepped(step), Verdict.UNROUTABLE, Cause.NO_ROUTE, reason)

    # --- request ---

    def _ended(self, end: Ending) -> Leaf:
        return Leaf(end.branch, _VERDICTS[end.fate], end.cause, end.reason)

    def _after_request(self, end: Arrived, opened: Flow) -> Iterator[Leaf]:
        branch, place = end
        reached = branch.packet.flow
        if isinstance(place, Outside) and reached.destination == self._destination:
            reason = "it leaves the cluster untranslated"
            yield Leaf(branch, Verdict.EXTERNAL, None, reason, source=self._spell(reached.source))
            return
        refused = self._not_taken(end)
        if refused is not None:
            yield refused
            return
        backend = self._backend(end)
        reply = replace(branch, packet=self._packet(reached.reversed, Leg.REPLY), leg=Leg.REPLY)
        for answer in self._journey.travel(reply, place):
            yield from self._after_reply(answer, end, backend, opened)

    def _backend(self, end: Arrived) -> Backend:
        flow, place = end.branch.packet.flow, end.place
        text = self._spell(flow.destination)
        ports = flow.destination_ports
        port = ports.low if ports.exact else None
        match place:
            case PodSite(name, host):
                return Backend(text, port, name, host)
            case HostSite(name):
                listener = self._atlas.listeners.get((text, ports.low, self._query.protocol))
                return Backend(text, port, listener.name if listener else "", name)
            case Outside():
                return Backend(text, port, "", "")

    def _not_taken(self, end: Arrived) -> Leaf | None:
        """Return what happens where nobody takes the connection, or None where somebody may."""
        match end.place:
            case PodSite(name=name, running=False):
                reason = f"no container of {name} is running"
                return self._unheard(end, name, reason, Verdict.REJECTED)
            case HostSite(name):
                return self._not_taken_by_host(end, name)
            case _:
                return None

    def _not_taken_by_host(self, end: Arrived, name: str) -> Leaf | None:
        host = self._atlas.machines[name].host
        flow = end.branch.packet.flow
        if host.ipvs:
            reason = f"IPVS of {name} takes it from here, which is not executed"
            return Leaf(end.branch, Verdict.INCONCLUSIVE, Cause.UNKNOWN, reason)
        if flow.destination != self._destination or host.sockets is None:
            return None
        text, port = self._spell(flow.destination), flow.destination_ports.low
        anywhere = {"*", "0.0.0.0", "::", "[::]", text, f"[{text}]"}  # noqa: S104 - read, not bound
        listening = any(
            s.port == port and s.protocol.lower() == self._query.protocol and s.address in anywhere
            for s in host.sockets
        )
        if listening and port in self._atlas.network.node_ports:
            reason = f"kube-proxy holds node port {port} on {name}, but does not answer there"
            return self._unheard(end, name, reason, Verdict.UNANSWERED)
        if listening or self._query.protocol == "sctp":
            return None
        reason = f"no rule translates it, and no process on {name} listens on port {port}"
        return self._unheard(end, name, reason, Verdict.REJECTED)

    def _unheard(self, end: Arrived, name: str, reason: str, verdict: Verdict) -> Leaf:
        step = Step(name, Leg.REQUEST, None, "", "", None, "sockets", reason)
        return Leaf(end.branch.stepped(step), verdict, Cause.NO_LISTENER, reason)

    # --- reply ---

    def _after_reply(
        self, answer: Arrived | Ending, reached: Arrived, backend: Backend, opened: Flow
    ) -> Iterator[Leaf]:
        source = self._spell(reached.branch.packet.flow.source)
        if isinstance(answer, Ending):
            yield self._lost(answer, backend, source)
            return
        branch, place = answer
        if not self._at_client(place) or branch.packet.flow != opened.reversed:
            yield self._estranged(answer, backend, source, opened)
            return
        if self._query.protocol != "tcp":
            yield Leaf(branch, Verdict.DELIVERED, None, "", backend, source)
            return
        data = replace(branch, packet=self._packet(opened, Leg.DATA), leg=Leg.DATA)
        for end in self._journey.travel(data, self._start):
            yield self._after_data(end, reached, backend, source)

    def _lost(self, end: Ending, backend: Backend, source: str) -> Leaf:
        if end.fate is Fate.INCONCLUSIVE:
            return Leaf(end.branch, Verdict.INCONCLUSIVE, end.cause, end.reason, backend, source)
        word = "answer" if end.branch.leg is Leg.REPLY else "client's next packet"
        reason = f"the {word} is lost: {end.reason}"
        return Leaf(end.branch, Verdict.UNANSWERED, end.cause, reason, backend, source)

    def _at_client(self, place: Place) -> bool:
        match self._start, place:
            case Outside(address=client), Outside(address=found):
                return client == found
            case start, found:
                return start == found

    def _estranged(self, answer: Arrived, backend: Backend, source: str, opened: Flow) -> Leaf:
        """Return the end of an answer that is not one of the connection that the client opened."""
        branch = answer.branch
        flow = branch.packet.flow
        bypassed = branch.trail is not None and "without iptables" in branch.trail.step.effect
        cause = Cause.BRIDGE_BYPASS if bypassed else Cause.OTHER_WAY
        way = "crosses the bridge without iptables" if bypassed else "comes back another way"
        seen, expected = self._spell(flow.source), self._spell(opened.destination)
        reason = f"the answer {way}: the client sees {seen} instead of {expected}"
        return Leaf(branch, Verdict.UNANSWERED, cause, reason, backend, source)

    def _after_data(
        self, end: Arrived | Ending, reached: Arrived, backend: Backend, source: str
    ) -> Leaf:
        if isinstance(end, Ending):
            return self._lost(end, backend, source)
        same = end.place == reached.place and (end.branch.packet.flow == reached.branch.packet.flow)
        if same:
            return Leaf(end.branch, Verdict.DELIVERED, None, "", backend, source)
        reason = "the client's next packet does not reach the backend"
        return Leaf(end.branch, Verdict.UNANSWERED, Cause.OTHER_WAY, reason, backend, source)

    def _spell(self, address: int) -> str:
        return spell(self._family, address)

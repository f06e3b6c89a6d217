"""Who takes a connection that has arrived, as far as a bundle tells: pods, sockets, kube-proxy's own."""

from __future__ import annotations

from analyzer.language import _
from analyzer.simulate.address import number, spell
from analyzer.simulate.atlas import Atlas, HostSite, Outside
from analyzer.simulate.branch import Cause, Leg, Step
from analyzer.simulate.fold import Leaf
from analyzer.simulate.host import PodSite
from analyzer.simulate.journey import Arrived
from analyzer.simulate.outcome import Backend, Verdict
from analyzer.simulate.query import Query


class Delivery:
    """The end of requests of one query."""

    def __init__(self, atlas: Atlas, query: Query) -> None:
        self._atlas = atlas
        self._query = query

    def backend(self, end: Arrived) -> Backend:
        """Return whom a request has reached."""
        packet, place = end.branch.packet, end.place
        text = spell(packet.family, packet.flow.destination)
        ports = packet.flow.destination_ports
        port = ports.low if ports.exact else None
        match place:
            case PodSite(name, host):
                return Backend(text, port, name, host)
            case HostSite(name):
                listener = self._atlas.listeners.get((text, ports.low, self._query.protocol))
                return Backend(text, port, listener.name if listener else "", name)
            case Outside():
                return Backend(text, port, "", "")

    def refusal(self, end: Arrived) -> Leaf | None:
        """Return what happens where nobody takes the connection, or None where somebody may."""
        match end.place:
            case PodSite(name=name, running=False):
                reason = _("no container of {name} is running", name=name)
                return _unheard(end, name, reason, Verdict.REJECTED)
            case HostSite(name):
                return self._refusal_of_host(end, name)
            case _:
                return None

    def _refusal_of_host(self, end: Arrived, name: str) -> Leaf | None:
        host = self._atlas.machines[name].host
        packet = end.branch.packet
        if host.ipvs:
            reason = _("IPVS of {name} takes it from here, which is not executed", name=name)
            return Leaf(end.branch, Verdict.INCONCLUSIVE, Cause.UNKNOWN, reason)
        translated = packet.flow.destination != number(self._query.address)
        if translated or host.sockets is None or self._query.protocol == "sctp":
            return None
        text, port = (
            spell(packet.family, packet.flow.destination),
            packet.flow.destination_ports.low,
        )
        anywhere = {"*", "0.0.0.0", "::", "[::]", text, f"[{text}]"}  # noqa: S104 - read, not bound
        listening = any(
            s.port == port and s.protocol.lower() == self._query.protocol and s.address in anywhere
            for s in host.sockets
        )
        if listening and port in self._atlas.network.node_ports:
            reason = _(
                "kube-proxy holds node port {port} on {name}, but does not answer there",
                port=port,
                name=name,
            )
            return _unheard(end, name, reason, Verdict.UNANSWERED)
        if listening:
            return None
        reason = _(
            "no rule translates it, and no process on {name} listens on port {port}",
            name=name,
            port=port,
        )
        return _unheard(end, name, reason, Verdict.REJECTED)


def _unheard(end: Arrived, name: str, reason: str, verdict: Verdict) -> Leaf:
    step = Step(name, Leg.REQUEST, None, "", "", None, _("sockets"), reason)
    return Leaf(end.branch.stepped(step), verdict, Cause.NO_LISTENER, reason)

"""One connection attempt: the request, the answer's way back, and the client's next packet."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from analyzer.language import _
from analyzer.model.ruleset import Family
from analyzer.simulate.address import family_of, number, spell
from analyzer.simulate.atlas import Atlas, HostSite, Outside, Place
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Leg, Step
from analyzer.simulate.client import client_address
from analyzer.simulate.delivery import Delivery
from analyzer.simulate.fold import Leaf
from analyzer.simulate.host import PodSite
from analyzer.simulate.journey import Arrived, Journey
from analyzer.simulate.outcome import Backend, Verdict
from analyzer.simulate.packet import EPHEMERAL, Flow, Packet, Ports, TcpFlags
from analyzer.simulate.query import Query
from analyzer.simulate.question import Budget
from analyzer.simulate.sight import Sight

_VERDICTS = {
    Fate.DROPPED: Verdict.DROPPED,
    Fate.REJECTED: Verdict.REJECTED,
    Fate.UNROUTABLE: Verdict.UNROUTABLE,
    Fate.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}
_FLAGS = {
    Leg.REQUEST: TcpFlags.SYN,
    Leg.REPLY: TcpFlags.SYN | TcpFlags.ACK,
    Leg.DATA: TcpFlags.ACK,
}

replace = msgspec.structs.replace


class Conversation:
    """One connection attempt on its way."""

    def __init__(
        self, atlas: Atlas, budget: Budget, sight: Sight, query: Query, start: Place
    ) -> None:
        self._atlas = atlas
        self._journey = Journey(atlas, budget, sight)
        self._delivery = Delivery(atlas, query)
        self._query = query
        self._start = start
        destination = number(query.address)
        if destination is None:
            raise ValueError(f"not an address: {query.address}")
        self._destination = destination
        self._family = family_of(query.address)

    def leaves(self) -> Iterator[Leaf]:
        """Yield the end of every branch."""
        source = client_address(self._atlas, self._start, self._family, self._destination)
        if source is None:
            yield self._unreachable()
            return
        ports = Ports(self._query.port, self._query.port)
        chosen = self._query.source_port
        own = EPHEMERAL if chosen is None else Ports(chosen, chosen)
        flow = Flow(source, own, self._destination, ports)
        for end in self._journey.travel(Branch(self._first_packet(flow)), self._start):
            if isinstance(end, Ending):
                yield self._ended(end)
            else:
                yield from self._after_request(end, flow)

    def _first_packet(self, flow: Flow) -> Packet:
        return Packet(self._family, self._query.protocol, flow, flags=self._flags(Leg.REQUEST))

    def _next(self, branch: Branch, flow: Flow, leg: Leg) -> Branch:
        """Return the branch with a later packet of the conversation about to be sent."""
        packet = branch.packet.followed_by(flow, self._flags(leg))
        return replace(branch, packet=packet, leg=leg)

    def _flags(self, leg: Leg) -> TcpFlags:
        return _FLAGS[leg] if self._query.protocol == "tcp" else TcpFlags.NONE

    def _unreachable(self) -> Leaf:
        text = self._spell(self._destination)
        name = self._start.name if isinstance(self._start, PodSite | HostSite) else ""
        version = "IPv4" if self._family is Family.IPV4 else "IPv6"
        reason = _(
            "{name} has no route to {text}, or no {version} address",
            name=name,
            text=text,
            version=version,
        )
        step = Step(name, Leg.REQUEST, None, "", "", None, _("no route"), _("network unreachable"))
        branch = Branch(self._first_packet(Flow(0, EPHEMERAL, self._destination, EPHEMERAL)))
        return Leaf(branch.stepped(step), Verdict.UNROUTABLE, Cause.NO_ROUTE, reason)

    # --- request ---

    def _ended(self, end: Ending) -> Leaf:
        return Leaf(end.branch, _VERDICTS[end.fate], end.cause, end.reason)

    def _after_request(self, end: Arrived, opened: Flow) -> Iterator[Leaf]:
        branch, place = end
        reached = branch.packet.flow
        if isinstance(place, Outside) and reached.destination == self._destination:
            reason = _("it leaves the cluster untranslated")
            yield Leaf(branch, Verdict.EXTERNAL, None, reason, source=self._spell(reached.source))
            return
        refused = self._delivery.refusal(end)
        if refused is not None:
            yield refused
            return
        backend = self._delivery.backend(end)
        reply = self._next(branch, reached.reversed, Leg.REPLY)
        for answer in self._journey.travel(reply, place):
            yield from self._after_reply(answer, end, backend, opened)

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
        data = self._next(branch, opened, Leg.DATA)
        for end in self._journey.travel(data, self._start):
            yield self._after_data(end, reached, backend, source)

    def _lost(self, end: Ending, backend: Backend, source: str) -> Leaf:
        if end.fate is Fate.INCONCLUSIVE:
            return Leaf(end.branch, Verdict.INCONCLUSIVE, end.cause, end.reason, backend, source)
        word = _("answer") if end.branch.leg is Leg.REPLY else _("client's next packet")
        reason = _("the {word} is lost: {reason}", word=word, reason=end.reason)
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
        way = _("crosses the bridge without iptables") if bypassed else _("comes back another way")
        seen, expected = self._spell(flow.source), self._spell(opened.destination)
        reason = _(
            "the answer {way}: the client sees {seen} instead of {expected}",
            way=way,
            seen=seen,
            expected=expected,
        )
        return Leaf(branch, Verdict.UNANSWERED, cause, reason, backend, source)

    def _after_data(
        self, end: Arrived | Ending, reached: Arrived, backend: Backend, source: str
    ) -> Leaf:
        if isinstance(end, Ending):
            return self._lost(end, backend, source)
        same = end.place == reached.place and (end.branch.packet.flow == reached.branch.packet.flow)
        if same:
            return Leaf(end.branch, Verdict.DELIVERED, None, "", backend, source)
        reason = _("the client's next packet does not reach the backend")
        return Leaf(end.branch, Verdict.UNANSWERED, Cause.OTHER_WAY, reason, backend, source)

    def _spell(self, address: int) -> str:
        return spell(self._family, address)

"""What the simulator says of a probe, in the words of what the kernel is seen to do."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from analyzer.simulate.address import family_of, number, spell
from analyzer.simulate.branch import Branch, Delivered, Departure, Ending, Fate, Leg, Way
from analyzer.simulate.forwarding import Forwarding
from analyzer.simulate.host import Host
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.packet import Flow, Packet, Ports, TcpFlags
from analyzer.simulate.question import Budget
from tests.kernel import frames
from tests.kernel.frames import Turn
from tests.kernel.lab import Kind, Observed, Probe

_DEVICES = {"a": "a0", "b": "b0"}
_SIDE_OF_TARGET = {"10.3.0.2": "p1", "10.3.0.3": "p2", "fd03::2": "p1", "fd03::3": "p2"}
_BRIDGE = "br0"
_NO_PORT = Ports(0, 0)

replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Predicted:
    """One outcome; ports are ranges where the kernel chooses."""

    branch: Branch = field(repr=False, compare=False)

    kind: Kind | None
    """None where the simulator does not know."""

    chance: float
    side: str = ""
    source: str = ""
    source_ports: Ports = _NO_PORT
    destination: str = ""
    ports: Ports = _NO_PORT
    reason: str = ""
    may_answer: bool = False
    """True where it does not matter whether the kernel sends an error: no route, or an answer is lost."""

    @property
    def key(self) -> tuple[object, ...]:
        """What can be told apart from outside."""
        return self.kind, self.side, self.source, self.source_ports, self.destination, self.ports

    @property
    def exact(self) -> bool:
        """True where the kernel does not choose a port and an error does not come or not as it likes."""
        return self.source_ports.exact and self.ports.exact and not self.may_answer

    def fits(self, seen: Observed) -> bool:
        """Tell whether this is what was seen."""
        if self.kind is Kind.DROPPED and self.may_answer:
            return seen.kind in {Kind.DROPPED, Kind.REJECTED}
        if self.kind is not seen.kind:
            return False
        if self.kind in {Kind.DROPPED, Kind.REJECTED}:
            return True
        if self.branch.packet.protocol in frames.PINGS:
            return (self.side, self.source) == (seen.side, seen.source) and (
                self.destination == seen.destination
            )
        return (
            (self.side, self.source) == (seen.side, seen.source)
            and self.source_ports.low <= seen.source_port <= self.source_ports.high
            and (seen.destination in {"::", self.destination})
            and self.ports.low <= seen.port <= self.ports.high
        )


class Predictor:
    """The simulator's view of one host; rules are compiled once."""

    def __init__(self, host: Host, *, indexed: bool = True) -> None:
        self._machine = Machine(host)
        self._budget = Budget()
        netfilter = Netfilter(self._machine, self._budget, indexed=indexed)
        self._forwarding = Forwarding(self._machine, netfilter)

    def outcomes(self, probe: Probe) -> list[Predicted]:
        """Return every outcome that the simulator holds for possible."""
        return self._from(Branch(_first_packet(probe)), probe)

    def answers(self, request: Predicted, probe: Probe) -> list[Predicted]:
        """Return every outcome of the answer to a packet that has arrived as predicted; `probe` is the answer."""
        flow = request.branch.packet.flow.reversed
        return self._from(_next(request.branch, flow, Turn.REPLY), probe)

    def further(self, answer: Predicted, probe: Probe) -> list[Predicted]:
        """Return every outcome of the client's next packet; `probe` is the first one."""
        return self._from(_next(answer.branch, _flow(probe), Turn.DATA), probe)

    def _from(self, branch: Branch, probe: Probe) -> list[Predicted]:
        self._budget.renew()
        found = [self._outcome(way) for way in self._ways(branch, probe)]
        if len({outcome.key for outcome in found}) == 1:
            return found
        return [_questioned(outcome) for outcome in found]

    def _ways(self, branch: Branch, probe: Probe) -> list[Way]:
        if probe.side == "host":
            return list(self._forwarding.send(branch))
        if probe.side in _DEVICES:
            return list(self._forwarding.receive(branch, _DEVICES[probe.side]))
        destination, own = branch.packet.flow.destination, branch.packet.flow.source
        neighbour = destination if probe.destination in _SIDE_OF_TARGET else None
        if self._machine.bridge_netfilter(branch.packet.family):
            port = f"v{probe.side}"
            return list(self._forwarding.receive_by_bridge(branch, _BRIDGE, port, neighbour, own))
        if neighbour is not None:
            return [Departure(branch, _BRIDGE, neighbour, by_gateway=False)]
        return list(self._forwarding.receive(branch, _BRIDGE))

    def _outcome(self, way: Way) -> Predicted:
        assert not isinstance(way, Branch)
        branch = way.branch
        chance = float(branch.chance)
        packet = branch.packet
        ends = (
            spell(packet.family, packet.flow.source),
            packet.flow.source_ports,
            spell(packet.family, packet.flow.destination),
            packet.flow.destination_ports,
        )
        match way:
            case Ending(fate=Fate.INCONCLUSIVE):
                return Predicted(branch, None, chance, reason=way.reason)
            case Ending():
                asked = branch.leg is Leg.REQUEST
                kind = Kind.REJECTED if way.fate is Fate.REJECTED and asked else Kind.DROPPED
                answers = way.fate is Fate.UNROUTABLE or not asked
                return Predicted(branch, kind, chance, reason=way.reason, may_answer=answers)
            case Delivered():
                return Predicted(branch, Kind.LOCAL, chance, "", *ends)
            case Departure(device=device, target=target):
                side = _side(device, spell(packet.family, target))
                return Predicted(branch, Kind.OUT, chance, side, *ends)


def _questioned(outcome: Predicted) -> Predicted:
    """Return an outcome that hangs on something that is not known as one that is not known."""
    branch = outcome.branch
    if not branch.suppositions:
        return outcome
    return Predicted(branch, None, outcome.chance, reason=branch.suppositions[0].question.text)


def _flow(probe: Probe) -> Flow:
    return Flow(
        number(probe.source) or 0,
        _ports(probe, probe.source_port),
        number(probe.destination) or 0,
        _ports(probe, probe.port),
    )


def _ports(probe: Probe, port: int) -> Ports:
    return _NO_PORT if probe.protocol in frames.PINGS else Ports(port, port)


def _first_packet(probe: Probe) -> Packet:
    family = family_of(probe.source)
    if probe.protocol in frames.PINGS:
        asks, _ = frames.PINGS[probe.protocol]
        return Packet(family, probe.protocol, _flow(probe), icmp=(asks, 0))
    flags = TcpFlags(probe.flags) if probe.protocol == "tcp" else TcpFlags.NONE
    return Packet(family, probe.protocol, _flow(probe), flags=flags)


def _next(branch: Branch, flow: Flow, turn: Turn) -> Branch:
    tcp = branch.packet.protocol == "tcp"
    flags = TcpFlags(frames.FLAGS[turn]) if tcp else TcpFlags.NONE
    packet = branch.packet.followed_by(flow, flags)
    if packet.protocol in frames.PINGS:
        _, replies = frames.PINGS[packet.protocol]
        packet = replace(packet, icmp=(replies, 0))
    return replace(branch, packet=packet, leg=Leg.REPLY if turn is Turn.REPLY else Leg.DATA)


def _side(device: str | None, target: str) -> str:
    if device == _BRIDGE:
        return _SIDE_OF_TARGET.get(target, "")
    return {"a0": "a", "b0": "b"}.get(device or "", "")

"""What the simulator says of a probe, in the words of what the kernel is seen to do."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.simulate.address import family_of, number, spell
from analyzer.simulate.branch import Branch, Delivered, Departure, Ending, Fate, Way
from analyzer.simulate.forwarding import Forwarding
from analyzer.simulate.host import Host
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.packet import Flow, Packet, Ports, TcpFlags
from analyzer.simulate.question import Budget
from tests.kernel.lab import Kind, Observed, Probe

_DEVICES = {"a": "a0", "b": "b0"}
_SIDE_OF_TARGET = {"10.3.0.2": "p1", "10.3.0.3": "p2", "fd03::2": "p1", "fd03::3": "p2"}
_BRIDGE = "br0"
_NO_PORT = Ports(0, 0)


@dataclass(frozen=True, slots=True)
class Predicted:
    """One outcome; ports are ranges where the kernel chooses."""

    kind: Kind | None
    """None where the simulator does not know."""

    chance: float
    side: str = ""
    source: str = ""
    source_ports: Ports = _NO_PORT
    destination: str = ""
    ports: Ports = _NO_PORT
    reason: str = ""

    def fits(self, seen: Observed) -> bool:
        """Tell whether this is what was seen."""
        if self.kind is not seen.kind:
            return False
        if self.kind in {Kind.DROPPED, Kind.REJECTED}:
            return True
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
        self._budget.renew()
        family = family_of(probe.source)
        flow = Flow(
            number(probe.source) or 0,
            Ports(probe.source_port, probe.source_port),
            number(probe.destination) or 0,
            Ports(probe.port, probe.port),
        )
        flags = TcpFlags.SYN if probe.protocol == "tcp" else TcpFlags.NONE
        branch = Branch(Packet(family, probe.protocol, flow, flags=flags))
        return [self._outcome(way) for way in self._ways(branch, probe)]

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
        if branch.suppositions:
            return Predicted(None, chance, reason=branch.suppositions[0].question.text)
        packet = branch.packet
        ends = (
            spell(packet.family, packet.flow.source),
            packet.flow.source_ports,
            spell(packet.family, packet.flow.destination),
            packet.flow.destination_ports,
        )
        match way:
            case Ending(fate=Fate.INCONCLUSIVE):
                return Predicted(None, chance, reason=way.reason)
            case Ending():
                kind = Kind.REJECTED if way.fate is Fate.REJECTED else Kind.DROPPED
                return Predicted(kind, chance, reason=way.reason)
            case Delivered():
                return Predicted(Kind.LOCAL, chance, "", *ends)
            case Departure(device=device, target=target):
                return Predicted(
                    Kind.OUT, chance, _side(device, spell(packet.family, target)), *ends
                )


def _side(device: str | None, target: str) -> str:
    if device == _BRIDGE:
        return _SIDE_OF_TARGET.get(target, "")
    return {"a0": "a", "b0": "b"}.get(device or "", "")

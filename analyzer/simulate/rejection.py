"""What a REJECT sends back, and whether it gets out of the host (`nf_reject_ipv4.c`, Linux 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from analyzer.model.ruleset import Family
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Leg, Way
from analyzer.simulate.machine import Machine
from analyzer.simulate.packet import Flow, Packet, Ports, State, TcpFlags
from analyzer.simulate.routing import RouteKey

_UNREACHABLE = {Family.IPV4: ("icmp", (3, 3)), Family.IPV6: ("icmpv6", (1, 4))}
_NO_PORTS = Ports(0, 0)

replace = msgspec.structs.replace


def with_answer(
    ways: Sequence[Way], machine: Machine, send: Callable[[Branch], Sequence[Way]]
) -> Sequence[Way]:
    """Return the ways; a rejection whose error or reset the host itself does not let out is a drop.

    The error belongs to the rejected connection: it is RELATED, and translated back.
    """
    if not any(isinstance(way, Ending) and way.fate is Fate.REJECTED for way in ways):
        return ways
    return [_checked(way, machine, send) for way in ways]


def _checked(way: Way, machine: Machine, send: Callable[[Branch], Sequence[Way]]) -> Way:
    if not isinstance(way, Ending) or way.fate is not Fate.REJECTED:
        return way
    branch = way.branch
    if branch.leg is not Leg.REQUEST:
        return way
    resets = "tcp-reset" in way.reason
    packet = branch.packet
    known = packet.connection
    if resets and packet.physical_in:
        if known is None or not known.dnat:
            return way
        reason = f"{way.reason}; the reset of a bridged packet is not translated back"
        return Ending(branch, Fate.DROPPED, Cause.RULE, reason)
    answer = _reset(packet) if resets else _error(packet, machine)
    sent = send(replace(branch, packet=answer, suppositions=()))
    if not sent or any(not isinstance(w, Ending) for w in sent):
        return way
    lost = next(w for w in sent if isinstance(w, Ending))
    fate = Fate.INCONCLUSIVE if lost.fate is Fate.INCONCLUSIVE else Fate.DROPPED
    reason = f"{way.reason}; its answer is lost: {lost.reason}"
    return Ending(branch, fate, way.cause, reason)


def _reset(packet: Packet) -> Packet:
    return replace(_answer(packet, packet.flow.reversed), flags=TcpFlags.RST | TcpFlags.ACK)


def _error(packet: Packet, machine: Machine) -> Packet:
    protocol, kind = _UNREACHABLE[packet.family]
    target = packet.flow.source
    source: int | None = packet.flow.destination
    if not machine.owns(packet.flow.destination):
        found = machine.routes(packet.family).lookup(RouteKey(target))
        device = found.hops[0].device if found.hops else None
        source = machine.source_towards(packet.family, device, target)
    flow = Flow(source or 0, _NO_PORTS, target, _NO_PORTS)
    answer = _answer(packet, flow)
    return replace(answer, protocol=protocol, icmp=kind, flags=TcpFlags.NONE)


def _answer(packet: Packet, flow: Flow) -> Packet:
    state = State.RELATED if packet.connection is not None else packet.state
    return replace(
        packet,
        flow=flow,
        state=state,
        reply=True,
        local=True,
        in_interface="",
        physical_in="",
        physical_out="",
        bridged=False,
        mark=0,
    )

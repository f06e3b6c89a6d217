"""What a REJECT sends back, and whether it gets out of the host (`nf_reject_ipv4.c`, Linux 6.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec

from analyzer.language import _
from analyzer.model.ruleset import Family
from analyzer.simulate.branch import CERTAIN, Branch, Cause, Ending, Fate, Leg, Way
from analyzer.simulate.machine import Machine
from analyzer.simulate.packet import Flow, Packet, Ports, State, TcpFlags
from analyzer.simulate.routing import RouteAnswer, RouteKey
from analyzer.simulate.source_address import source_by, source_towards

_ICMP = {Family.IPV4: "icmp", Family.IPV6: "icmpv6"}
_UNREACHABLE = {Family.IPV4: 3, Family.IPV6: 1}
"""Type of the error."""

_CODES = {
    Family.IPV4: {
        "net-unreachable": 0, "no-route": 0, "host-unreachable": 1, "proto-unreachable": 2,
        "prot-unreachable": 2, "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
    },
    Family.IPV6: {
        "no-route": 0, "adm-prohibited": 1, "admin-prohibited": 1, "addr-unreachable": 3,
        "host-unreachable": 3, "policy-fail": 5, "reject-route": 6,
    },
}  # fmt: skip
"""Code by what a REJECT is told to say, in the words of iptables and nft; any other is the default."""

_PORT_UNREACHABLE = {Family.IPV4: 3, Family.IPV6: 4}
_KIND = re.compile(r"reject with (?:icmp(?:x|v6|6)?[ -])?(?P<kind>[a-z-]+)")
_NO_PORTS = Ports(0, 0)

Send = Callable[[Branch, RouteAnswer | None], Sequence[Way]]
"""Sends a packet of the host, by a route that was looked up before where one is given."""

replace = msgspec.structs.replace


def with_answer(ways: Sequence[Way], machine: Machine, send: Send) -> Sequence[Way]:
    """Return the ways; a rejection whose error or reset the host itself does not let out is a drop.

    The error belongs to the rejected connection: it is RELATED, and translated back.
    """
    if not any(isinstance(way, Ending) and way.fate is Fate.REJECTED for way in ways):
        return ways
    return [checked for way in ways for checked in _checked(way, machine, send)]


def _checked(way: Way, machine: Machine, send: Send) -> Sequence[Way]:
    if not isinstance(way, Ending) or way.fate is not Fate.REJECTED:
        return [way]
    branch = way.branch
    if branch.leg is not Leg.REQUEST:
        return [way]
    found = _KIND.match(way.reason)
    kind = found["kind"] if found else ""
    resets = kind == "tcp-reset"
    packet = branch.packet
    known = packet.connection
    if resets and packet.physical_in:
        if known is None or not known.dnat:
            return [way]
        reason = _(
            "{reason}; the reset of a bridged packet is not translated back", reason=way.reason
        )
        return [Ending(branch, Fate.DROPPED, Cause.RULE, reason)]
    route = None if resets else _route_of_error(packet, machine)
    answer = _reset(packet) if resets else _error(packet, machine, kind, route)
    sent = send(replace(branch, packet=answer, chance=CERTAIN, suppositions=()), route)
    lost = [w for w in sent if isinstance(w, Ending)]
    return [_outcome(way, lost)] if len(lost) == len(sent) else _shared(way, lost)


def _outcome(way: Ending, lost: Sequence[Ending]) -> Ending:
    """Return what a rejection is whose answer is lost on every way."""
    known = all(w.fate is not Fate.INCONCLUSIVE for w in lost)
    reason = _("{reason}; its answer is lost: {why}", reason=way.reason, why=lost[0].reason)
    fate = Fate.DROPPED if known else Fate.INCONCLUSIVE
    return Ending(way.branch, fate, way.cause, reason)


def _shared(way: Ending, lost: Sequence[Ending]) -> Sequence[Way]:
    """Return a rejection whose answer is lost on some ways, each outcome with its chance."""
    if not lost:
        return [way]
    if any(w.branch.suppositions for w in lost):
        return [Ending(way.branch, Fate.INCONCLUSIVE, way.cause, _outcome(way, lost).reason)]
    share = sum((w.branch.chance for w in lost), Fraction(0))
    chance = way.branch.chance
    answered = replace(way.branch, chance=chance * (1 - share))
    unanswered = replace(way.branch, chance=chance * share)
    return [way._replace(branch=answered), _outcome(way._replace(branch=unanswered), lost)]


def _reset(packet: Packet) -> Packet:
    """Return the reset of a packet: one with ACK says by itself where it stands (`nf_reject_ip_tcphdr_put`)."""
    confirms = TcpFlags.NONE if packet.flags & TcpFlags.ACK else TcpFlags.ACK
    return replace(_answer(packet, packet.flow.reversed), flags=TcpFlags.RST | confirms)


def _route_of_error(packet: Packet, machine: Machine) -> RouteAnswer | None:
    """Return the route that gives an error its source, or None where that is set (`icmp_send`)."""
    flow = packet.flow
    if machine.owns(flow.destination):
        return None
    return machine.routes(packet.family).lookup(RouteKey(flow.source))


def _device_of_error(packet: Packet) -> str | None:
    """Return the interface whose address an IPv6 error has: where the packet came in (`icmp6_send`).

    Of what was translated on a bridge IP knows only where it leads.
    """
    if packet.family is Family.IPV4:
        return None
    known = packet.connection
    translated = bool(packet.physical_in) and known is not None and known.dnat
    return packet.out_interface if translated else packet.in_interface


def _error(packet: Packet, machine: Machine, kind: str, route: RouteAnswer | None) -> Packet:
    family, target = packet.family, packet.flow.source
    code = _CODES[family].get(kind, _PORT_UNREACHABLE[family])
    source: int | None = packet.flow.destination
    if route is not None:
        device = _device_of_error(packet)
        by_device = source_towards(machine, family, device, target, None) if device else None
        source = by_device or source_by(machine, family, route, target)
    flow = Flow(source or 0, _NO_PORTS, target, _NO_PORTS)
    answer = _answer(packet, flow)
    said = (_UNREACHABLE[family], code)
    return replace(answer, protocol=_ICMP[family], icmp=said, flags=TcpFlags.NONE)


def _answer(packet: Packet, flow: Flow) -> Packet:
    state = State.RELATED if packet.connection is not None else State.INVALID
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

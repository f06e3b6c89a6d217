"""Matches on where a packet is: kinds of address, bridge ports, sockets, the way back."""

from __future__ import annotations

from analyzer.model.ruleset import Match, Option
from analyzer.simulate.address_kind import is_any_of
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.condition import (
    Condition,
    by_option,
    never,
    unknown,
    value_of,
    with_sign,
)
from analyzer.simulate.match.header import same_interface
from analyzer.simulate.packet import UNSURE, Packet
from analyzer.simulate.routing import RouteKey, RouteKind

_LOOKED_UP = {k.name: k for k in RouteKind} | {"PROHIBIT": RouteKind.PROHIBIT}


def addrtype(match: Match, machine: Machine) -> tuple[Condition, ...]:
    """`-m addrtype`, by the host's own table `local`, or its routes (IPv6)."""
    limits = {o.flag for o in match.options if o.flag.startswith("--limit-iface")}
    found = [o for o in match.options if o.flag not in limits]
    return tuple(with_sign(o, _of_kind(o, limits, machine)) for o in found)


def _of_kind(option: Option, limits: set[str], machine: Machine) -> Condition:
    names = value_of(option).upper().split(",")
    if option.flag not in {"--src-type", "--dst-type"} or not _LOOKED_UP.keys() >= set(names):
        return unknown
    kinds = {_LOOKED_UP[name] for name in names}
    source = option.flag == "--src-type"

    def of_kind(packet: Packet) -> bool | None:
        flow = packet.flow
        device = None
        if limits:
            inwards = "--limit-iface-in" in limits
            device = packet.in_interface if inwards else packet.out_interface
            if device is None:
                return None
        address = flow.source if source else flow.destination
        return is_any_of(machine, packet.family, address, kinds, device)

    return of_kind


def _physical_in(option: Option) -> Condition:
    pattern = value_of(option)
    return lambda packet: _port_fits(pattern, packet.physical_in)


def _physical_out(option: Option) -> Condition:
    pattern = value_of(option)
    return lambda packet: _port_fits(pattern, packet.physical_out)


def _port_fits(pattern: str, port: str | None) -> bool | None:
    if port == UNSURE:
        return None
    return False if port == "" else same_interface(pattern, port)


def _has_port(port: str | None) -> bool | None:
    return None if port == UNSURE else port != ""


physdev = by_option(
    {
        "--physdev-in": _physical_in,
        "--physdev-out": _physical_out,
        "--physdev-is-in": lambda _option: lambda packet: _has_port(packet.physical_in),
        "--physdev-is-out": lambda _option: lambda packet: _has_port(packet.physical_out),
        "--physdev-is-bridged": lambda _option: lambda packet: packet.bridged,
    }
)
"""`-m physdev`."""


def owner(match: Match, _machine: Machine) -> tuple[Condition, ...]:
    """`-m owner`: nothing is known of the process, but a forwarded packet has none (`owner_mt`, Linux 6.1)."""
    all_negated = all(option.negated for option in match.options)
    return (lambda packet: None if packet.local else all_negated,)


def rpfilter(match: Match, machine: Machine) -> tuple[Condition, ...]:
    """`-m rpfilter`: an answer would leave by the interface that the packet came in by."""
    flags = {option.flag for option in match.options}
    inverted = "--invert" in flags
    loose = "--loose" in flags
    marked = "--validmark" in flags

    def passes(packet: Packet) -> bool | None:
        if packet.in_interface == "lo":
            return not inverted
        mark = packet.mark if marked else 0
        key = RouteKey(packet.flow.source, packet.flow.destination, "lo", mark)
        answer = machine.routes(packet.family).lookup(key)
        if answer.kind is RouteKind.UNKNOWN or packet.in_interface is None:
            return None
        if answer.kind is RouteKind.LOCAL:
            return ("--accept-local" in flags) is not inverted
        known = answer.kind is RouteKind.UNICAST
        back = known and (loose or packet.in_interface in {hop.device for hop in answer.hops})
        return back is not inverted

    return (passes,)


def _packet_type(option: Option) -> Condition:
    text = value_of(option).lower()
    return never if text in {"broadcast", "multicast", "1", "2"} else unknown


pkttype = by_option({"--pkt-type": _packet_type})
"""`-m pkttype`: what is traced is addressed to one host."""

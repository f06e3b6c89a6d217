"""Address translation: when a connection is opened, and of each of its packets (`nf_nat_core.c`, Linux 6.1)."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import msgspec

from analyzer.language import _
from analyzer.model.ruleset import Family
from analyzer.simulate.address import WIDTH
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Step
from analyzer.simulate.machine import Machine
from analyzer.simulate.packet import UNPRIVILEGED, Connection, Hook, Packet, Ports
from analyzer.simulate.source_address import first_address, source_towards
from analyzer.simulate.translation import Change, Translation, described

DESTINATION_HOOKS = frozenset({Hook.PREROUTING, Hook.OUTPUT})
"""Where destinations are translated; at the others it is sources."""

_MOST_ADDRESSES = 32
_MOST_PORTS = 16
_ALL_PORTS = 1 << 16
"""The kernel keeps the distance of a port from the base in 16 bits."""

_LOOPBACK = {Family.IPV4: 0x7F000001, Family.IPV6: 1}

replace = msgspec.structs.replace


class End(NamedTuple):
    """One end of a connection."""

    address: int
    ports: Ports


def bind(
    branch: Branch, machine: Machine, translation: Translation, step: Step
) -> list[Branch | Ending]:
    """Write a NAT target's choice into the connection, once for each choice that the kernel has."""
    packet = branch.packet
    addresses = _addresses(packet, machine, translation, branch.next_hop)
    if addresses is None:
        reason = _("no address to {change} to", change=translation.change.value)
        return [Ending(branch.stepped(step), Fate.DROPPED, Cause.RULE, reason)]
    if any(address >> WIDTH[packet.family] for address in addresses):
        reason = _("{change} to an address of another family", change=translation.change.value)
        return [Ending(branch.stepped(step), Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
    ends = [End(a, p) for a in addresses for p in _ports(packet, translation)]
    if len(ends) > _MOST_ADDRESSES:
        reason = _("{count} addresses and ports to choose from", count=len(ends))
        return [Ending(branch.stepped(step), Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
    chance = Fraction(1, len(ends))
    return [_bound(branch, end, translation, step, chance) for end in ends]


def _bound(
    branch: Branch, end: End, translation: Translation, step: Step, chance: Fraction
) -> Branch:
    packet = branch.packet
    known = packet.connection
    assert known is not None
    to_source = packet.hook not in DESTINATION_HOOKS
    if to_source:
        reply = known.reply._replace(destination=end.address, destination_ports=end.ports)
    else:
        reply = known.reply._replace(source=end.address, source_ports=end.ports)
    words = _("{change}: source {end}") if to_source else _("{change}: to {end}")
    effect = words.format(change=translation.change.value, end=described(packet.family, *end))
    if chance != 1:
        effect += _(", chance {float:.4g}", float=float(chance))
    connection = marked_bound(replace(known, reply=reply), packet.hook)
    stepped = branch.stepped(replace(step, effect=effect))
    return replace(
        stepped, packet=replace(packet, connection=connection), chance=branch.chance * chance
    )


def marked_bound(connection: Connection, hook: Hook) -> Connection:
    """Return the connection with the decision of this hook's side made."""
    if hook in DESTINATION_HOOKS:
        return replace(connection, destination_bound=True)
    return replace(connection, source_bound=True)


def is_bound(connection: Connection, hook: Hook) -> bool:
    """Tell whether this hook's side has been decided."""
    if hook in DESTINATION_HOOKS:
        return connection.destination_bound
    return connection.source_bound


def rewrite(packet: Packet) -> Packet:
    """Return the packet as it leaves the hook: translated, or an answer translated back."""
    known = packet.connection
    if known is None:
        return packet
    flow, expected = packet.flow, known.reply
    if packet.hook in DESTINATION_HOOKS:
        if packet.reply:
            end = End(known.original.source, known.original.source_ports) if known.snat else None
        else:
            end = End(expected.source, expected.source_ports) if known.dnat else None
        changed = (
            flow if end is None else flow._replace(destination=end[0], destination_ports=end[1])
        )
    else:
        if packet.reply:
            original = known.original
            end = End(original.destination, original.destination_ports) if known.dnat else None
        else:
            end = End(expected.destination, expected.destination_ports) if known.snat else None
        changed = flow if end is None else flow._replace(source=end[0], source_ports=end[1])
    return packet if changed is flow else replace(packet, flow=changed)


def _addresses(
    packet: Packet, machine: Machine, translation: Translation, next_hop: int | None
) -> list[int] | None:
    """Return the addresses that the kernel may choose, or None where it finds none and drops the packet.

    `next_hop` decides the address of MASQUERADE.
    """
    to_source = packet.hook not in DESTINATION_HOOKS
    current = packet.flow.source if to_source else packet.flow.destination
    match translation.change:
        case Change.MASQUERADE:
            found = source_towards(
                machine, packet.family, packet.out_interface, packet.flow.destination, next_hop
            )
            return None if found is None else [found]
        case Change.REDIRECT:
            if packet.hook is Hook.OUTPUT:
                return [_LOOPBACK[packet.family]]
            found = first_address(machine, packet.family, packet.in_interface, current)
            return None if found is None else [found]
        case Change.NETMAP:
            network = translation.network
            return None if network is None else [network.value | (current & ~network.mask)]
    if translation.low is None or translation.high is None:
        return [current]
    if to_source and translation.low <= current <= translation.high and not translation.random:
        return [current]
    return list(range(translation.low, min(translation.high, translation.low + 1024) + 1))


def _ports(packet: Packet, translation: Translation) -> list[Ports]:
    """Return the ports that the kernel may choose (`nf_nat_l4proto_unique_tuple`)."""
    if packet.hook in DESTINATION_HOOKS:
        return _destination_ports(packet.flow.destination_ports, translation)
    return [_source_ports(packet.flow.source_ports, translation)]


def _destination_ports(current: Ports, translation: Translation) -> list[Ports]:
    wanted = translation.ports
    if wanted is None:
        return [current]
    if wanted.exact:
        return [wanted]
    if translation.base is not None and current.exact:
        shift = (current.low - translation.base) % _ALL_PORTS % (wanted.high - wanted.low + 1)
        return [Ports(wanted.low + shift, wanted.low + shift)]
    if translation.random or not current.exact:
        return _each(wanted)
    inside = wanted.low <= current.low <= wanted.high
    return [current if inside else Ports(wanted.low, wanted.low)]


def _each(wanted: Ports) -> list[Ports]:
    if wanted.high - wanted.low >= _MOST_PORTS:
        return [wanted]
    return [Ports(port, port) for port in range(wanted.low, wanted.high + 1)]


def _source_ports(current: Ports, translation: Translation) -> Ports:
    wanted = translation.ports
    if wanted is not None:
        inside = wanted.low <= current.low and current.high <= wanted.high
        return current if inside and not translation.random else wanted
    if not translation.random:
        return current
    return UNPRIVILEGED if current.high >= UNPRIVILEGED.low else Ports(1, UNPRIVILEGED.low - 1)

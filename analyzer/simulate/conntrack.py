"""What conntrack makes of a packet, and remembers of its connection (`nf_conntrack_core.c`, Linux 6.1)."""

from __future__ import annotations

import msgspec

from analyzer.simulate.branch import Branch, Leg
from analyzer.simulate.packet import Connection, Packet, State, TcpFlags

_ANSWERS = TcpFlags.SYN | TcpFlags.ACK
_OPENING_ICMP = {"icmp": frozenset({8, 13, 15, 17}), "icmpv6": frozenset({128, 139})}
"""Types that ask for an answer (`nf_conntrack_proto_icmp.c`, `nf_conntrack_proto_icmpv6.c`)."""

replace = msgspec.structs.replace


def track(branch: Branch, host: str) -> Branch:
    """Return the branch with the packet's connection and state on a host."""
    packet = branch.packet
    if packet.state is not None or packet.connection is not None:
        return branch
    return replace(branch, packet=_tracked(branch, packet, host))


def confirm(branch: Branch, host: str) -> Branch:
    """Keep the connection, as conntrack does when a packet of it leaves the host or reaches a process.

    An error or a reset that refuses its first packet does not confirm it (`__nf_conntrack_confirm`).
    """
    packet = branch.packet
    if packet.connection is None or (packet.reply and not packet.connection.confirmed):
        return branch
    known = replace(packet.connection, confirmed=True)
    others = tuple(c for c in branch.connections.get(host, ()) if c.original != known.original)
    connections = {**branch.connections, host: (*others, known)}
    return replace(branch, packet=replace(packet, connection=known), connections=connections)


def _tracked(branch: Branch, packet: Packet, host: str) -> Packet:
    for known in branch.connections.get(host, ()):
        if packet.flow == known.reply:
            answered = replace(known, seen_reply=True)
            return replace(packet, connection=answered, state=State.ESTABLISHED, reply=True)
        if packet.flow == known.original:
            return _again(packet, known)
    if not _opens(packet, branch.leg):
        return replace(packet, state=State.INVALID)
    opened = Connection(packet.flow, packet.flow.reversed, packet.protocol)
    return replace(packet, connection=opened, state=State.NEW)


def _opens(packet: Packet, leg: Leg) -> bool:
    """Tell whether a packet of no known connection may be the first of one."""
    match packet.protocol:
        case "tcp":
            return packet.flags & _ANSWERS != _ANSWERS
        case "sctp":
            return leg is not Leg.REPLY
        case "icmp" | "icmpv6" as protocol:
            return packet.icmp is None or packet.icmp[0] in _OPENING_ICMP[protocol]
        case _:
            return True


def _again(packet: Packet, known: Connection) -> Packet:
    """Return a further packet of the client: only what was answered goes on (`nf_conntrack_proto_tcp`)."""
    if known.seen_reply:
        answered = replace(known, assured=True)
        return replace(packet, connection=answered, state=State.ESTABLISHED)
    if packet.protocol == "tcp" and packet.flags & TcpFlags.ACK:
        return replace(packet, state=State.INVALID)
    return replace(packet, connection=known, state=State.NEW)

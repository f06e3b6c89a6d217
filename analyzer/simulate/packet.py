"""A packet on its way through a host, and the connection it belongs to, in netfilter's words."""

from __future__ import annotations

from enum import Enum, IntFlag
from typing import NamedTuple

import msgspec

from analyzer.model.ruleset import Family


class Hook(Enum):
    """A place in the kernel where tables are consulted."""

    __hash__ = (
        object.__hash__
    )  # that of Enum is a function of its own, and members are keys everywhere

    PREROUTING = "PREROUTING"
    INPUT = "INPUT"
    FORWARD = "FORWARD"
    OUTPUT = "OUTPUT"
    POSTROUTING = "POSTROUTING"


class State(Enum):
    """Conntrack state of a packet (`--ctstate`)."""

    __hash__ = object.__hash__

    NEW = "NEW"
    ESTABLISHED = "ESTABLISHED"
    RELATED = "RELATED"
    INVALID = "INVALID"
    UNTRACKED = "UNTRACKED"


class TcpFlags(IntFlag):
    """TCP flags by iptables' names (`--tcp-flags`)."""

    NONE = 0
    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16
    URG = 32
    ALL = 63


UNSURE = "?"
"""Stands for a bridge port where not even that is known, whether there is one."""


class Ports(NamedTuple):
    """A port, or a range of ports of which one is taken but not known which (a client's)."""

    low: int
    high: int

    @property
    def exact(self) -> bool:
        """True when there is only one port to choose from."""
        return self.low == self.high


EPHEMERAL = Ports(32768, 60999)
"""Default of `net.ipv4.ip_local_port_range`: from where Linux takes a client's port."""

UNPRIVILEGED = Ports(1024, 65535)
"""From where NAT takes a port at random (`nf_nat_l4proto_unique_tuple`, Linux 6.1)."""


class Flow(NamedTuple):
    """Addresses and ports of one direction; addresses are numbers, their family is the packet's."""

    source: int
    source_ports: Ports
    destination: int
    destination_ports: Ports

    @property
    def reversed(self) -> Flow:
        """The flow of the answers."""
        return Flow(self.destination, self.destination_ports, self.source, self.source_ports)


class Connection(msgspec.Struct, frozen=True):
    """One conntrack entry of one host."""

    original: Flow
    reply: Flow
    """Flow of the answers as the host expects them: `original.reversed` until NAT changes it."""

    protocol: str
    """That of the packet that opened it: an ICMP error belongs to a connection of another."""

    mark: int = 0
    destination_bound: bool = False
    """True once nat PREROUTING or OUTPUT has decided, translation or not."""

    source_bound: bool = False
    """True once nat POSTROUTING or INPUT has decided."""

    confirmed: bool = False
    seen_reply: bool = False
    assured: bool = False

    @property
    def dnat(self) -> bool:
        """True when the destination is translated (`--ctstate DNAT`)."""
        before, after = self.original, self.reply
        return (before.destination, before.destination_ports) != (after.source, after.source_ports)

    @property
    def snat(self) -> bool:
        """True when the source is translated (`--ctstate SNAT`)."""
        before, after = self.original, self.reply
        return (before.source, before.source_ports) != (after.destination, after.destination_ports)


class Listed(NamedTuple):
    """An address on a list of `-m recent`."""

    host: str
    name: str
    address: int


class Packet(msgspec.Struct, frozen=True):
    """A packet as the matches of a rule see it."""

    family: Family
    protocol: str
    """`tcp`, `udp`, `sctp`, `icmp` or `icmpv6`."""

    flow: Flow
    hook: Hook = Hook.PREROUTING
    flags: TcpFlags = TcpFlags.NONE
    icmp: tuple[int, int] | None = None
    """Type and code of an ICMP packet."""

    mark: int = 0
    in_interface: str | None = ""
    """Where it came in; empty for a packet of this host, None where the bundle does not tell."""

    out_interface: str | None = ""
    """Where it will leave; empty before routing, None where the bundle does not tell."""

    physical_in: str | None = ""
    """Bridge port it came in by; empty for none, None where it is one but not known which, else UNSURE."""

    physical_out: str | None = ""
    local: bool = False
    """True for a packet that a process of this host sent."""

    bridged: bool = False
    """True on the way from one port of a bridge to another."""

    state: State | None = None
    """None before conntrack has seen it."""

    reply: bool = False
    """True when it goes against the direction in which the connection was opened."""

    connection: Connection | None = None
    recent: frozenset[Listed] = frozenset()
    """What packets of this connection have put on lists of `-m recent`."""

    changed_sets: frozenset[str] = frozenset()
    """IP sets that packets of this connection have changed."""

    @property
    def trackable(self) -> bool:
        """True before conntrack has taken it, or once it has refused it and it comes again by `lo`.

        An error or a reset of REJECT belongs to what it answers, tracked or not (`nf_conntrack_attach`).
        """
        return self.state is None or (self.state is State.INVALID and not self.reply)

    def followed_by(self, flow: Flow, flags: TcpFlags) -> Packet:
        """Return a later packet of the conversation: only what hosts have noted is kept."""
        return Packet(
            self.family,
            self.protocol,
            flow,
            flags=flags,
            recent=self.recent,
            changed_sets=self.changed_sets,
        )

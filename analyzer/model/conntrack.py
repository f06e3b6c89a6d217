"""Connections that a node's conntrack knows."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model.source import SourceRef


@dataclass(frozen=True, slots=True)
class ConntrackFlow:
    """One direction of a connection."""

    source: str
    source_port: int
    """0 for a protocol without ports."""

    destination: str
    destination_port: int


@dataclass(frozen=True, slots=True)
class ConntrackEntry:
    """One line of `conntrack -L` or /proc/net/nf_conntrack."""

    protocol: str
    """Lower case: `tcp`, `udp`, `sctp`, …"""

    state: str
    """`ESTABLISHED`, `TIME_WAIT`, …; empty for a protocol without states."""

    timeout: int
    """Seconds until it is forgotten."""

    original: ConntrackFlow
    reply: ConntrackFlow
    """The answers as they are expected: `original` turned round, but for NAT."""

    flags: frozenset[str]
    """`ASSURED`, `UNREPLIED`, …"""

    source: SourceRef

    @property
    def translated(self) -> bool:
        """True when the destination was changed (DNAT)."""
        before, after = self.original, self.reply
        return (before.destination, before.destination_port) != (after.source, after.source_port)

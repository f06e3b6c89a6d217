"""What can be asked of a simulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FromPod:
    """A client in a pod with a network of its own."""

    pod: str
    """`namespace/name`."""


@dataclass(frozen=True, slots=True)
class FromHost:
    """A client on a node, or in a pod that uses its node's network."""

    host: str


@dataclass(frozen=True, slots=True)
class FromOutside:
    """A client outside of the cluster."""

    address: str
    host: str
    """The node that receives its packets."""


Origin = FromPod | FromHost | FromOutside


@dataclass(frozen=True, slots=True)
class Query:
    """One connection attempt."""

    origin: Origin
    address: str
    port: int
    protocol: str = "tcp"
    """`tcp`, `udp` or `sctp`."""

    source_port: int | None = None
    """None for whichever the client takes."""

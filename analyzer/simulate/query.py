"""What can be asked of a simulator."""

from __future__ import annotations

import msgspec


class FromPod(msgspec.Struct, frozen=True):
    """A client in a pod with a network of its own."""

    pod: str
    """`namespace/name`."""


class FromHost(msgspec.Struct, frozen=True):
    """A client on a node, or in a pod that uses its node's network."""

    host: str


class FromOutside(msgspec.Struct, frozen=True):
    """A client outside of the cluster."""

    address: str
    host: str
    """The node that receives its packets."""


Origin = FromPod | FromHost | FromOutside


class Query(msgspec.Struct, frozen=True):
    """One connection attempt."""

    origin: Origin
    address: str
    port: int
    protocol: str = "tcp"
    """`tcp`, `udp` or `sctp`."""

    source_port: int | None = None
    """None for whichever the client takes."""

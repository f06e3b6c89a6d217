"""One endpoint address of a Service port, as an endpoints controller publishes it."""

from __future__ import annotations

from msgspec import Struct

from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.source import Ref


class Backend(Struct, frozen=True):
    """A candidate for traffic of one Service port; whether it gets any is kube-proxy's decision."""

    port_name: str
    """Name of the endpoint port, which kube-proxy joins with the Service port's name."""

    protocol: Protocol
    endpoint: Endpoint
    ready: bool
    serving: bool
    terminating: bool
    node: str
    """Name of the node it runs on; empty where not published."""

    zone_hints: tuple[str, ...]
    node_hints: tuple[str, ...]
    pod: str
    """`namespace/name` of the pod; empty for an address without targetRef."""

    source: Ref
    """The address in its slice or subset, or the pod it is derived from."""

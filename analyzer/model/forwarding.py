"""The neutral forwarding table: who is served on a node, for which clients, by which backends.

The same value describes what should be there (`analyzer.expect`) and what is there (`analyzer.observe`),
whatever mechanism wrote it, so that a check compares two values and knows no proxy mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypeVar

from msgspec import Struct

from analyzer.language import _, later
from analyzer.model.ruleset import Family
from analyzer.model.source import Ref

K = TypeVar("K")


class Protocol(Enum):
    """Transport protocol of a Service port, as the API spells it."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"

    @classmethod
    def parse(cls, text: str | None) -> Protocol | None:
        """Return the protocol of any spelling (`tcp`, `TCP`); TCP for None (API default); None if unknown."""
        return cls.TCP if text is None else _PROTOCOLS.get(text.upper())


_PROTOCOLS = {protocol.value: protocol for protocol in Protocol}


class ServiceKey(Struct, frozen=True, order=True):
    """Namespace and name of a Service."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


class ServicePortName(Struct, frozen=True, order=True):
    """One port of one Service; kube-proxy's `svcPortName`."""

    service: ServiceKey
    port: str
    """Name of the port; empty where the only port is unnamed."""

    def __str__(self) -> str:
        """`namespace/name:port`, or `namespace/name` for an unnamed port (`fmtPortName`, Kubernetes 1.20)."""
        return f"{self.service}:{self.port}" if self.port else str(self.service)


class FrontendKind(Enum):
    """What sort of address a client uses."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    CLUSTER_IP = later("cluster IP")
    NODE_PORT = later("node port")
    EXTERNAL_IP = later("external IP")
    LOAD_BALANCER_IP = later("load-balancer IP")


class Frontend(Struct, frozen=True):
    """What a client connects to."""

    kind: FrontendKind
    address: str
    """IP address without prefix; empty for a node port (any address of the node)."""

    protocol: Protocol
    port: int

    def __str__(self) -> str:
        """`cluster IP 10.96.0.1:443/TCP`."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{_(self.kind.value)} {host}{':' if host else ''}{self.port}/{self.protocol.value}"


class Clients(Enum):
    """Which clients an entry is for; the others have an entry of their own."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    ALL = "all clients"
    INTERNAL = "pods and the node itself"
    EXTERNAL = "clients outside the cluster"

    def overlaps(self, other: Clients) -> bool:
        """Tell whether some client belongs to both."""
        return self is other or Clients.ALL in {self, other}


class Action(Enum):
    """What happens to a new connection."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    FORWARD = "forward"
    REJECT = "reject"
    DROP = "drop"


class Masquerade(Enum):
    """Whose source address is replaced by the node's."""

    NEVER = "never"
    OFF_CLUSTER = later("clients outside the pod network")
    ALWAYS = later("all clients")


class Endpoint(Struct, frozen=True, order=True):
    """Address and port that a connection is sent to."""

    address: str
    port: int

    def __str__(self) -> str:
        """`10.244.1.6:9376` or `[fd00::6]:9376`."""
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )


class Target(Struct, frozen=True):
    """One backend of an entry, as it is chosen and reached."""

    endpoint: Endpoint | None
    """None where the rules choose it but do not say where to send (an empty or damaged KUBE-SEP chain)."""

    share: float
    """Probability from 0 to 1 that a new connection without affinity gets it."""

    source: Ref
    """The rule that chooses it (observed), or the endpoint in its slice (expected)."""

    chain: str = ""
    """Name of its chain (KUBE-SEP-…); empty where expected or where the mechanism has none."""

    destination: Ref | None = None
    """The rule that translates the address (observed)."""

    hairpin_masquerade: bool = True
    """True when a connection from the endpoint to itself is masqueraded."""

    written_share: float | None = None
    """The `--probability` of the choosing rule, or None where it chooses unconditionally."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another treatment that is right, because the bundle does not tell which one kube-proxy chooses."""

    action: Action
    endpoints: frozenset[Endpoint]
    """Where connections are forwarded to; empty for other actions."""

    reason: str
    """When it is right, such as `with kube-proxy as of 1.24`."""


class Entry(Struct, frozen=True, dict=True):
    """How one node treats new connections of some clients to one frontend."""

    frontend: Frontend
    service_port: ServicePortName | None
    """None where the mechanism does not say whose it is (a chain without comment and without known hash)."""

    action: Action
    source: Ref
    """The rule that takes the connection (observed), or the Service's port (expected)."""

    clients: Clients = Clients.ALL
    targets: tuple[Target, ...] = ()
    masquerade: Masquerade | None = None
    """None where it cannot be told."""

    masquerade_source: Ref | None = None
    affinity_seconds: int | None = None
    """Time-out of ClientIP affinity, or None where there is none."""

    source_ranges: tuple[str, ...] | None = None
    """CIDRs that may use a load-balancer IP; None for no restriction."""

    chain: str = ""
    """Name of the Service's chain (KUBE-SVC-…, KUBE-SVL-…); empty where expected or where there is none."""

    chain_source: Ref | None = None
    """Declaration of that chain."""

    alternatives: tuple[Alternative, ...] = ()
    """Expected: what would be right as well; empty where kube-proxy's decision is certain. Observed: empty."""

    optional: bool = False
    """Expected: True where it is right as well that there is no such entry. Observed: False."""

    @cached_property
    def endpoints(self) -> frozenset[Endpoint]:
        """The distinct endpoints that connections are sent to."""
        return frozenset([t.endpoint for t in self.targets if t.endpoint is not None])

    @property
    def required_endpoints(self) -> frozenset[Endpoint]:
        """Endpoints that belong to every treatment that is right: one that is not served is missing."""
        return self.endpoints.intersection(*(a.endpoints for a in self.alternatives))

    @property
    def allowed_endpoints(self) -> frozenset[Endpoint]:
        """Endpoints of any treatment that is right: another one that is served is stale."""
        return self.endpoints.union(*(a.endpoints for a in self.alternatives))

    @property
    def allowed_actions(self) -> frozenset[Action]:
        """Actions of all treatments that are right."""
        return frozenset({self.action, *(a.action for a in self.alternatives)})


@dataclass(frozen=True)
class ForwardingTable:
    """All entries of one IP family on one node."""

    family: Family
    entries: tuple[Entry, ...] = field(default=())

    @cached_property
    def by_frontend(self) -> dict[Frontend, tuple[Entry, ...]]:
        """Entries by what the client connects to, in the order in which they are tried."""
        return _grouped((e.frontend, e) for e in self.entries)

    @cached_property
    def by_service(self) -> dict[ServiceKey, tuple[Entry, ...]]:
        """Entries by Service; those without a known Service are absent."""
        return _grouped(
            (e.service_port.service, e) for e in self.entries if e.service_port is not None
        )

    def counterparts(self, entry: Entry) -> tuple[Entry, ...]:
        """Return the entries for the same frontend and some of the same clients, in order.

        An entry for all clients stands against both an internal and an external one.
        """
        return tuple(
            e for e in self.by_frontend.get(entry.frontend, ()) if e.clients.overlaps(entry.clients)
        )


def _grouped(pairs: Iterator[tuple[K, Entry]]) -> dict[K, tuple[Entry, ...]]:
    groups: dict[K, list[Entry]] = {}
    for key, entry in pairs:
        groups.setdefault(key, []).append(entry)
    return {key: tuple(entries) for key, entries in groups.items()}

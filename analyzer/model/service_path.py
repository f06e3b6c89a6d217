"""The path of a Service's packets as a report draws it: what each node does, and who stands at each endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analyzer.model.forwarding import Endpoint, Entry, ForwardingTable, ServiceKey
from analyzer.model.kube_proxy import ProxyMode


class Readiness(Enum):
    """What is known of an endpoint's ability to answer."""

    READY = "ready"
    NOT_READY = "not ready"
    TERMINATING = "terminating"
    UNPUBLISHED = "not published"
    """A pod that ought to be an endpoint, and is none."""

    GONE = "no pod has this address"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class EndpointSite:
    """Who stands at the address of an endpoint."""

    endpoint: Endpoint
    port: str
    """Name of the Service port that it answers for; empty for an unnamed one and where it is not known."""

    pod: str
    """`namespace/name`; empty where none is known."""

    node: str
    """Where it runs; empty where that is not known."""

    readiness: Readiness


@dataclass(frozen=True, slots=True)
class Sides:
    """What should be there for a Service and what is, on one node in one IP family."""

    expected: ForwardingTable
    observed: ForwardingTable | None
    """None where the rules were not read."""


@dataclass(frozen=True, slots=True)
class NodePath:
    """How one node treats connections to a Service, beside how it should."""

    node: str
    mode: ProxyMode
    sides: tuple[Sides, ...]
    """One for each IP family that is compared."""

    unread: str = ""
    """Why its rules were not read; empty where they were."""

    @property
    def observed(self) -> tuple[Entry, ...]:
        """All entries that are there."""
        return tuple(e for s in self.sides if s.observed for e in s.observed.entries)

    @property
    def treatment(self) -> tuple[Entry, ...]:
        """What is there, as far as it was read, else what should be."""
        return tuple(e for s in self.sides for e in (s.observed or s.expected).entries)


@dataclass(frozen=True, slots=True)
class ServicePath:
    """All that is drawn of one Service."""

    service: ServiceKey
    nodes: tuple[NodePath, ...]
    """Empty for a Service that kube-proxy does not serve."""

    sites: tuple[EndpointSite, ...]
    """Published endpoints, pods that ought to be published, and whatever else the nodes send to."""

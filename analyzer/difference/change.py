"""What differs between two states of a cluster, or between two nodes: the words of `svcbundle diff`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analyzer.difference.identity import FindingIdentity
from analyzer.findings import Finding
from analyzer.model.forwarding import Clients, Endpoint, Frontend, ServiceKey, ServicePortName
from analyzer.model.source import Ref
from analyzer.model.verdict import Verdict


class Presence(Enum):
    """On which side something is."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value that differs."""

    field: str
    """Name as the API spells it (`selector`, `ports[http]`), or of the comparison (`action`, `endpoints`)."""

    old: str
    """Empty where there was none."""

    new: str
    """Empty where there is none any more."""


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that came or went, or whose kube-proxy is another one."""

    name: str
    presence: Presence
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """A Service that came, went or was changed."""

    service: ServiceKey
    presence: Presence
    fields: tuple[FieldChange, ...]
    """What a client or kube-proxy depends on, and the verdict."""

    old_verdict: Verdict | None
    """None where the Service was not there."""

    new_verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Published:
    """One address that is published for a Service, with all its ports."""

    address: str
    ports: tuple[str, ...]
    """`9376/TCP` or `http 9376/TCP`, sorted."""

    state: str
    """`ready`, `not ready`, `terminating` or `terminating, serving`."""

    node: str
    """Name of its node; empty where not published."""

    pod: str
    """`namespace/name`; empty for an address without a pod."""

    workload: str
    """The pod's name without what was generated for this very pod; empty without a pod."""


@dataclass(frozen=True, slots=True)
class PublishedPair:
    """The same address in two states, or the address of a pod and that of the pod that took its place."""

    old: Published
    new: Published


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """How the published endpoints of a Service differ."""

    service: ServiceKey
    old_ready: int
    new_ready: int
    added: tuple[Published, ...]
    removed: tuple[Published, ...]
    changed: tuple[PublishedPair, ...]
    """Addresses on both sides in another state, on other ports or of another pod."""

    replaced: tuple[PublishedPair, ...]
    """Pods of the same workload in the same state, as a rollout leaves them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one node treats an entry, before and after."""

    node: str
    """Name of the node; of the old one where two nodes are compared."""

    old_chain: str
    """Empty where there is none."""

    new_chain: str
    old_source: Ref | None
    new_source: Ref | None


@dataclass(frozen=True, slots=True)
class ForwardingChange:
    """How nodes treat connections to one address of a Service port differently."""

    service_port: ServicePortName | None
    """None where neither rules nor API tell whose it is."""

    frontend: Frontend
    """The new one where there is one."""

    clients: Clients
    presence: Presence
    fields: tuple[FieldChange, ...]
    gained: tuple[Endpoint, ...]
    """Endpoints that get connections now; those that only took the place of others are left out."""

    lost: tuple[Endpoint, ...]
    observed: tuple[Place, ...]
    """The nodes whose rules changed so."""

    expected: tuple[Place, ...]
    """The nodes for which the API objects call for the change."""


class FindingState(Enum):
    """What became of a finding."""

    NEW = "new"
    GONE = "gone"
    SAME = "same"
    UNSEEN_IN_OLD = "unseen-in-old"
    """Only in the new one, but the old one could not be examined for it."""

    UNSEEN_IN_NEW = "unseen-in-new"
    """Only in the old one, but the new one could not be examined for it: it may still be there."""


@dataclass(frozen=True, slots=True)
class FindingChange:
    """One finding and its fate."""

    state: FindingState
    identity: FindingIdentity
    old: Finding | None
    new: Finding | None
    reason: str = ""
    """Why a side could not be examined for it."""


class Lack(Enum):
    """Which side lacks something."""

    OLD = "old"
    NEW = "new"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Blind:
    """Something that could not be compared."""

    subject: str
    """What, such as `Services` or `rules of node-b, IPv4`."""

    lack: Lack
    reason: str
    command: str = ""
    """Command that gives what is missing; empty where none does."""

    node: str = ""
    """Name of the node whose rules are meant; empty where it is something else."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs, and what could not be compared."""

    nodes: tuple[NodeChange, ...]
    services: tuple[ServiceChange, ...]
    endpoints: tuple[EndpointChange, ...]
    forwarding: tuple[ForwardingChange, ...]
    findings: tuple[FindingChange, ...]
    """All of them, those that are the same included, in the order of the reports."""

    blind: tuple[Blind, ...]

    @property
    def different(self) -> bool:
        """True where anything differs, or one side lacks what the other one has."""
        fates = any(f.state is not FindingState.SAME for f in self.findings)
        lacking = any(b.lack is not Lack.BOTH for b in self.blind)
        changes = (self.nodes, self.services, self.endpoints, self.forwarding)
        return any(changes) or fates or lacking

"""What the views are read from: any source of the cluster's and the nodes' files, and how whole they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from analyzer.model.bundle import BundleIdentity, EntryProblem
from analyzer.model.conntrack import ConntrackEntry
from analyzer.model.inputs import Input
from analyzer.model.ip_set import IPSet
from analyzer.model.kubernetes import (
    Resource,
    Version,
)
from analyzer.model.log import LogEntry
from analyzer.model.node import (
    BridgePort,
    Document,
    InterfaceAddress,
    Link,
    Process,
    ResolvConf,
    Route,
    RoutePolicyRule,
    Socket,
    Sysctl,
)
from analyzer.model.ruleset import Ruleset
from analyzer.model.source import ObjectRef, ParseProblem

R = TypeVar("R", bound=Resource)


class NodeSource(Protocol):
    """Reads the files of one node; every method returns None (or nothing) where the file is absent."""

    def rulesets(self, source: Input) -> tuple[Ruleset, ...]:
        """Return the dumps in an iptables-save file, oldest first; one empty ruleset for an empty file."""

    def log(self, source: Input) -> tuple[LogEntry, ...]:
        """Return the entries of a log in file order."""

    def document(self, source: Input) -> Document | None:
        """Return a JSON or YAML document."""

    def text(self, source: Input) -> str | None:
        """Return a short text file, stripped."""

    def sysctls(self) -> dict[str, Sysctl]:
        """Return sysctl.txt by name."""

    def bridge_ports(self) -> tuple[BridgePort, ...]:
        """Return hairpin.txt."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Return ip-addr.json or its text form."""

    def links(self) -> tuple[Link, ...]:
        """Return ip-link.json or its text form."""

    def routes(self) -> tuple[Route, ...]:
        """Return ip-route.json or its text form, all tables."""

    def route_rules(self) -> tuple[RoutePolicyRule, ...]:
        """Return ip-rule.txt."""

    def processes(self) -> tuple[Process, ...]:
        """Return processes.txt."""

    def sockets(self) -> tuple[Socket, ...]:
        """Return sockets.txt."""

    def ip_sets(self) -> dict[str, IPSet]:
        """Return ipset-save.txt by name."""

    def connections(self) -> tuple[ConntrackEntry, ...]:
        """Return conntrack.txt."""

    def resolv_conf(self) -> ResolvConf | None:
        """Return the node's resolv.conf."""


class ClusterSource(Protocol):
    """Reads the cluster-wide files and lists what the bundle holds."""

    @property
    def identity(self) -> BundleIdentity:
        """What the manifest says of the bundle."""

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of the directories below `nodes/`."""

    def objects(self, source: Input, kind: type[R]) -> tuple[R, ...]:
        """Return the objects of a dump in file order; empty where the file is absent."""

    def version(self) -> Version | None:
        """Return cluster/version.json."""

    def pod_resolv_confs(self) -> tuple[PodResolvConf, ...]:
        """Return every pods/<namespace>/<pod>/resolv.conf."""

    def node(self, name: str) -> NodeSource:
        """Return the reader of one node's files."""

    def availability(self, source: Input, node: str = "") -> FileState:
        """Tell whether an input is there and whole."""

    def document_of(self, text: str, ref: ObjectRef) -> Document | None:
        """Parse YAML or JSON that stands inside another document (a ConfigMap's value)."""

    def entry_problems(self) -> tuple[EntryProblem, ...]:
        """Return what is wrong with entries of the bundle, after parsing all of them."""

    def limit_to(self, nodes: Collection[str] | None) -> None:
        """Raise `ElsewhereError` from now on where rules of other nodes are asked for; None lifts that."""

    def record(self, node: str) -> NodeRecord:
        """Read all files of a node and return what came of it."""

    def adopt(self, node: str, record: NodeRecord) -> None:
        """Take what another process made of the files of a node for known."""

    def assume(self, source: Input, state: FileState) -> None:
        """Take for known how whole a cluster-wide input is, which another process has read."""

    def forget(self, node: str) -> None:
        """Give back what was read of a node's files; it is read again where it is asked for."""


class Availability(Enum):
    """Whether an input can be relied on."""

    PRESENT = "present"
    PARTIAL = "partial"
    """Cut off, or objects of it could not be read: what is absent from it may have been lost."""

    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class FileState:
    """Availability of one input for one subject, and why."""

    availability: Availability
    path: str
    reason: str = ""
    """Why it is absent or partial, in the user's words."""

    namespaces: frozenset[str] = frozenset()
    """Where nothing but objects of certain namespaces is lost, these namespaces."""


class ElsewhereError(Exception):
    """The rules of a node are asked for that another process examines."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """What came of reading the files of one node, for a process that does not read them itself."""

    states: Mapping[Input, FileState]
    """Of every input of a node."""

    problems: Mapping[str, tuple[ParseProblem, ...]]
    """By path, of the files that were read."""


@dataclass(frozen=True, slots=True)
class PodResolvConf:
    """The resolv.conf that was read inside a pod."""

    namespace: str
    pod: str
    resolv_conf: ResolvConf

    @property
    def full_name(self) -> str:
        """`namespace/name` of the pod."""
        return f"{self.namespace}/{self.pod}"

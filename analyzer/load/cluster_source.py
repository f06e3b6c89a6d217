"""The files of a bundle by what they are: which parser reads which, once, when asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TypeVar, cast

from analyzer.bundle.layout import Placed, classify
from analyzer.bundle.reader import Bundle
from analyzer.language import _
from analyzer.load.node_source import NodeFiles
from analyzer.model.bundle import BundleIdentity, EntryProblem, EntryTrouble
from analyzer.model.inputs import Input, Scope
from analyzer.model.kubernetes import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Event,
    Ingress,
    Namespace,
    NetworkPolicy,
    Node,
    Pod,
    Resource,
    Service,
    Version,
    Workload,
)
from analyzer.model.node import (
    Document,
)
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.source import ObjectRef, ParseProblem, SourceRef
from analyzer.parse.document import decode_text
from analyzer.parse.iptables_save import KnownLines, parse_iptables_save
from analyzer.parse.kubernetes_json import decode_version, read_objects
from analyzer.parse.parsed import Parsed
from analyzer.parse.resolv_conf import parse_resolv_conf
from analyzer.snapshot import (
    Availability,
    ElsewhereError,
    FileState,
    NodeRecord,
    PodResolvConf,
)

R = TypeVar("R", bound=Resource)
T = TypeVar("T")

KINDS: dict[Input, type[Resource]] = {
    Input.NODES: Node,
    Input.SERVICES: Service,
    Input.ENDPOINTS: Endpoints,
    Input.ENDPOINT_SLICES: EndpointSlice,
    Input.PODS: Pod,
    Input.NAMESPACES: Namespace,
    Input.DEPLOYMENTS: Workload,
    Input.DAEMON_SETS: Workload,
    Input.STATEFUL_SETS: Workload,
    Input.REPLICA_SETS: Workload,
    Input.NETWORK_POLICIES: NetworkPolicy,
    Input.INGRESSES: Ingress,
    Input.EVENTS: Event,
    Input.CONFIG_MAPS: ConfigMap,
}
"""What the objects of each dump are read as."""

_SUBSTITUTES = {
    Input.RULESET: (Input.RULESET_NFT, Input.RULESET_LEGACY),
    Input.RULESET_V6: (Input.RULESET_V6_NFT, Input.RULESET_V6_LEGACY),
    Input.ENDPOINT_SLICES: (Input.ENDPOINTS,),
}
"""Inputs that serve as well where the first one is absent."""


class BundleFiles:
    """The files of a bundle by what they are; a `ClusterSource`."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._objects: dict[Input, tuple[Resource, ...]] = {}
        self._problems: dict[str, tuple[ParseProblem, ...]] = {}
        self._states: dict[tuple[Input, str], FileState] = {}
        self._adopted: set[str] = set()
        self._readable: Collection[str] | None = None
        self._known_lines: KnownLines | None = KnownLines() if len(self.node_names) > 1 else None

    @cached_property
    def identity(self) -> BundleIdentity:
        """What the manifest says of the bundle."""
        manifest = self._bundle.manifest
        return BundleIdentity(
            path=self._bundle.name,
            cluster=manifest.cluster if manifest else "",
            created_at=manifest.created_at if manifest else None,
            redacted=manifest.redacted if manifest else False,
            verified=manifest is not None,
            finished_at=self._finished_at,
        )

    @property
    def _finished_at(self) -> datetime | None:
        manifest = self._bundle.manifest
        times = (
            e.started_at + timedelta(milliseconds=e.duration_ms or 0)
            for e in (manifest.entries.values() if manifest else ())
            if e.started_at is not None
        )
        return max(times, default=None)

    @cached_property
    def _placed(self) -> dict[tuple[Input, str], tuple[str, ...]]:
        """Paths by input and by the node they belong to, parts in order."""
        found: dict[tuple[Input, str], list[tuple[int, str]]] = defaultdict(list)
        for path in self._bundle.members:
            placed = classify(path)
            if placed is not None and placed.input.value.scope is not Scope.POD:
                found[placed.input, placed.node].append((placed.part, path))
        return {key: tuple(p for _, p in sorted(paths)) for key, paths in found.items()}

    @cached_property
    def _pod_files(self) -> tuple[tuple[Placed, str], ...]:
        placed = ((classify(path), path) for path in self._bundle.members)
        return tuple((p, path) for p, path in placed if p and p.input.value.scope is Scope.POD)

    @cached_property
    def node_names(self) -> tuple[str, ...]:
        """Names of the directories below `nodes/`."""
        return tuple(
            sorted(
                {path.split("/")[1] for path in self._bundle.members if path.startswith("nodes/")}
            )
        )

    def paths(self, source: Input, node: str = "") -> tuple[str, ...]:
        """Return the files that hold an input."""
        return self._placed.get((source, node), ())

    def entry_problems(self) -> tuple[EntryProblem, ...]:
        """Return what is wrong with entries of the bundle, after parsing all of them."""
        for source, node in self._placed:
            if node not in self._adopted:
                self._was_read(source, node)
        self.pod_resolv_confs()
        refused = (
            EntryProblem(
                EntryTrouble(p.kind.value), SourceRef(p.path or p.source, 1), str(p), p.ref
            )
            for p in self._bundle.problems
        )
        unread = (
            EntryProblem(EntryTrouble.UNREADABLE, SourceRef(p.path, max(p.line, 1)), str(p))
            for path in self._problems
            for p in self._problems[path]
        )
        return tuple(sorted((*refused, *unread), key=lambda e: e.source))

    def availability(self, source: Input, node: str = "") -> FileState:
        """Tell whether an input is there and whole; asked once for each check and subject."""
        if (source, node) not in self._states:
            self._states[source, node] = self._best_state(source, node)
        return self._states[source, node]

    def _best_state(self, source: Input, node: str) -> FileState:
        first = self._state(source, node)
        if first.availability is Availability.PRESENT:
            return first
        if source is Input.ENDPOINT_SLICES and first.availability is Availability.PARTIAL:
            return first  # where there are slices, Endpoints are not looked at instead
        others = (self._state(other, node) for other in _SUBSTITUTES.get(source, ()))
        return next((s for s in others if s.availability is Availability.PRESENT), first)

    def _state(self, source: Input, node: str) -> FileState:
        paths = self.paths(source, node)
        if not paths:
            return self._absent(source, node)
        read = self._was_read(source, node)
        problems = [p for path in paths for p in self._problems.get(path, ())]
        if problems and not read:
            return FileState(Availability.ABSENT, paths[0], f"{problems[0]}")
        cut = next((p for p in problems if p.truncation), None)
        if cut is not None:
            return FileState(Availability.PARTIAL, cut.path, f"{cut}")
        lost = [p for p in problems if p.lost_from is not None]
        if lost:
            return FileState(
                Availability.PARTIAL, lost[0].path, f"{lost[0]}", namespaces=_namespaces(lost)
            )
        excerpt = self.node(node).excerpt(source) if node else ""
        if excerpt:
            return FileState(Availability.PARTIAL, paths[0], excerpt)
        manifest = self._bundle.manifest
        for path in paths:
            if manifest and path in manifest.entries and manifest.entries[path].truncated:
                return self._restricted(source, path) or FileState(
                    Availability.PARTIAL,
                    path,
                    _("{path} was cut off when it was collected", path=path),
                )
        return FileState(Availability.PRESENT, paths[0])

    def _restricted(self, source: Input, path: str) -> FileState | None:
        """Return the state of a list that is whole for the namespaces that were asked for; None for another one."""
        manifest = self._bundle.manifest
        stem = source.path().removesuffix(".json")
        if source.value.scope is not Scope.CLUSTER or manifest is None or not manifest.namespaces:
            return None
        if any(missing.startswith(f"{stem}.") for missing in manifest.missing):
            return None
        known = {n.metadata.name for n in self.objects(Input.NAMESPACES, Namespace)}
        reason = _(
            "{path} was collected for {namespaces} only",
            path=path,
            namespaces=", ".join(manifest.namespaces),
        )
        others = frozenset(known - set(manifest.namespaces))
        return FileState(Availability.PARTIAL, path, reason, namespaces=others)

    # --- nodes that another process reads ---

    def limit_to(self, nodes: Collection[str] | None) -> None:
        """Raise `ElsewhereError` from now on where rules of other nodes are asked for; None lifts that."""
        self._readable = nodes

    def demand(self, node: str) -> None:
        """Raise `ElsewhereError` where the rules of a node are for another process to read."""
        if self._readable is not None and node not in self._readable:
            raise ElsewhereError(node)

    def record(self, node: str) -> NodeRecord:
        """Read all files of a node and return what came of it."""
        states = {i: self.availability(i, node) for i in Input if i.value.scope is Scope.NODE}
        paths = [
            p for (source, name) in self._placed for p in self.paths(source, name) if name == node
        ]
        return NodeRecord(states, {p: self._problems[p] for p in paths if p in self._problems})

    def adopt(self, node: str, record: NodeRecord) -> None:
        """Take what another process made of the files of a node for known."""
        self._states.update({(source, node): state for source, state in record.states.items()})
        self._problems.update(record.problems)
        self._adopted.add(node)

    def assume(self, source: Input, state: FileState) -> None:
        """Take for known how whole a cluster-wide input is, which another process has read."""
        self._states[source, ""] = state

    def forget(self, node: str) -> None:
        """Give back what was read of a node's files; it is read again where it is asked for."""
        self._nodes.pop(node, None)

    def _was_read(self, source: Input, node: str) -> bool:
        """Parse the input, so that its problems are known, and tell whether anything came of it."""
        if source.value.scope is Scope.CLUSTER:
            kind = KINDS.get(source)
            return bool(self.objects(source, kind) if kind else self.version())
        return self.node(node).was_read(source)

    def _absent(self, source: Input, node: str) -> FileState:
        path = source.path(node)
        manifest = self._bundle.manifest
        entry = manifest.missing.get(path) if manifest else None
        reason = (
            _("{path} was not collected: {reason}", path=path, reason=entry.reason)
            if entry
            else _("{path} is not in the bundle", path=path)
        )
        return FileState(Availability.ABSENT, path, reason)

    # --- files of the cluster ---

    def objects(self, source: Input, kind: type[R]) -> tuple[R, ...]:
        """Return the objects of a dump, all parts, in file order."""
        if source not in self._objects:
            self._objects[source] = tuple(
                item for path in self.paths(source) for item in self._decoded(path, kind)
            )
        return cast("tuple[R, ...]", self._objects[source])

    def _decoded(self, path: str, kind: type[R]) -> tuple[R, ...]:
        result = read_objects(path, partial(self._bundle.pieces, path), kind)
        self._problems[path] = result.problems
        return result.value

    def version(self) -> Version | None:
        """Return cluster/version.json."""
        for path in self.paths(Input.VERSION):
            return self.parsed(path, partial(decode_version, path), None)
        return None

    @cached_property
    def _pod_resolv_confs(self) -> tuple[PodResolvConf, ...]:
        return tuple(
            PodResolvConf(placed.namespace, placed.pod, self.parsed_text(path, parse_resolv_conf))
            for placed, path in self._pod_files
            if placed.input is Input.POD_RESOLV_CONF
        )

    def pod_resolv_confs(self) -> tuple[PodResolvConf, ...]:
        """Return every pods/<namespace>/<pod>/resolv.conf."""
        return self._pod_resolv_confs

    def node(self, name: str) -> NodeFiles:
        """Return the reader of one node's files."""
        return self._nodes[name]

    @cached_property
    def _nodes(self) -> dict[str, NodeFiles]:
        return _NodeReaders(self)

    def document_of(self, text: str, ref: ObjectRef) -> Document | None:
        """Parse YAML or JSON that stands inside another document."""
        parsed = decode_text(text, ref)
        self._problems.setdefault(ref.path, ())
        self._problems[ref.path] += parsed.problems
        return parsed.value

    # --- parsing ---

    def parsed(self, path: str, parse: Callable[[bytes], Parsed[T]], default: T) -> T:
        """Parse a member once and keep its problems."""
        result = parse(self._bundle.read(path))
        self._problems[path] = result.problems
        return result.value if result.value is not None else default

    def parsed_text(self, path: str, parse: Callable[[str, str], Parsed[T]]) -> T:
        """Parse a text member once and keep its problems, those of its encoding included."""
        text, problems = self._bundle.text(path)
        result = parse(path, text)
        self._problems[path] = (*problems, *result.problems)
        return result.value

    def ruleset(self, path: str, family: Family) -> tuple[Ruleset, ...]:
        """Parse an iptables-save file."""
        text, problems = self._bundle.text(path)
        rulesets = parse_iptables_save(path, text, family, self._known_lines)
        self._problems[path] = (*problems, *(p for r in rulesets for p in r.problems))
        return rulesets

    def text(self, path: str) -> str:
        """Return a text member."""
        return self._bundle.text(path)[0]


def _namespaces(lost: Sequence[ParseProblem]) -> frozenset[str]:
    """Return the namespaces that objects were lost from; none where that is not known of all."""
    found = frozenset(p.lost_from or "" for p in lost)
    return frozenset() if "" in found else found


class _NodeReaders(dict[str, "NodeFiles"]):
    """Readers of nodes by name, made when first asked for."""

    def __init__(self, files: BundleFiles) -> None:
        super().__init__()
        self._files = files

    def __missing__(self, name: str) -> NodeFiles:
        reader = self[name] = NodeFiles(self._files, name)
        return reader

"""Whether a bundle is well formed, and what would not be evaluated for want of a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.bundle.layout import ignored
from analyzer.bundle.reader import Bundle
from analyzer.check import Check
from analyzer.checks import catalogue
from analyzer.load import load
from analyzer.model.inputs import Input, Scope
from analyzer.model.validation import Gap, Validation
from analyzer.snapshot import Availability, ClusterView, FileState


def validate(bundle: Bundle) -> Validation:
    """Read every file of a bundle and tell what is wrong with it and what it lacks."""
    cluster = load(bundle)
    unknown = ignored(bundle.members)
    return Validation(
        identity=cluster.identity,
        files=len(bundle.members) - len(unknown),
        ignored=unknown,
        problems=cluster.source.entry_problems(),
        gaps=tuple(_gaps(cluster)),
    )


def _gaps(cluster: ClusterView) -> Iterator[Gap]:
    states: dict[str, tuple[FileState, str]] = {}
    checks: dict[str, set[str]] = defaultdict(set)
    for check in catalogue():
        for state, command in _lacking(cluster, check):
            states[state.path] = state, command
            checks[state.path].add(check.slug)
    for path, (state, command) in sorted(states.items()):
        yield Gap(path, state.reason, command, tuple(sorted(checks[path])))


def _lacking(cluster: ClusterView, check: Check) -> Iterator[tuple[FileState, str]]:
    for needed in check.needs:
        for node in _nodes(cluster, needed):
            state = cluster.source.availability(needed, node)
            if state.availability is not Availability.PRESENT:
                yield state, needed.command(node)


def _nodes(cluster: ClusterView, needed: Input) -> tuple[str, ...]:
    """Return the nodes whose file is meant, or one empty name for a file of the cluster."""
    if needed.value.scope is Scope.CLUSTER:
        return ("",)
    return tuple(n.name for n in cluster.nodes.values() if not n.windows)

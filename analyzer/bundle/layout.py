"""Which path of a bundle is which input. Source: bundle format svcbundle/v1."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from analyzer.bundle.root import MANIFEST
from analyzer.model.inputs import Input, Scope

_PART = re.compile(r"(?P<resource>.+)\.(?P<part>[1-9][0-9]{0,8})\.json")


@dataclass(frozen=True, slots=True)
class Placed:
    """One file of a bundle and what it holds."""

    path: str
    input: Input
    node: str = ""
    """For a file of a node: the node's name."""

    namespace: str = ""
    pod: str = ""
    """For a file of a pod: the pod's namespace and name."""

    part: int = 0
    """For `cluster/<resource>.<n>.json`: n; 0 for a whole file."""


def classify(path: str) -> Placed | None:
    """Return what a path from the bundle's root holds, or None for a file that svcbundle does not know."""
    match path.split("/"):
        case ["cluster", name]:
            return _of_cluster(path, name)
        case ["nodes", node, name] if (Scope.NODE, name) in _BY_NAME:
            return Placed(path, _BY_NAME[Scope.NODE, name], node=node)
        case ["pods", namespace, pod, name] if (Scope.POD, name) in _BY_NAME:
            return Placed(path, _BY_NAME[Scope.POD, name], namespace=namespace, pod=pod)
    return None


def ignored(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the files that svcbundle does not know; a later version of the format may have added them."""
    return tuple(path for path in paths if path != MANIFEST and classify(path) is None)


def _of_cluster(path: str, name: str) -> Placed | None:
    if source := _BY_NAME.get((Scope.CLUSTER, name)):
        return Placed(path, source)
    if part := _PART.fullmatch(name):
        source = _BY_NAME.get((Scope.CLUSTER, f"{part['resource']}.json"))
        if source is not None and source is not Input.VERSION:  # the one that is no List
            return Placed(path, source, part=int(part["part"]))
    return None


_BY_NAME = {
    (source.value.scope, name): source
    for source in Input
    for name in (source.value.name, *source.value.alternatives)
}

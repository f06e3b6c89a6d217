"""The files of a bundle against its manifest: what was collected, what is there, what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analyzer.bundle.manifest import Manifest, ManifestEntry
from analyzer.bundle.member import Content
from analyzer.bundle.member_name import shown
from analyzer.bundle.problem import BundleProblem, ProblemKind
from analyzer.bundle.root import MANIFEST
from analyzer.bundle.tree import Tree
from analyzer.language import _
from analyzer.model.source import ObjectRef


def verify(manifest: Manifest, tree: Tree) -> Iterator[BundleProblem]:
    """Yield what is absent or differs; absence with a reason that was told already is not told again."""
    reported = {problem.path for problem in tree.problems}
    absent: list[ManifestEntry] = []
    for entry in manifest.entries.values():
        if entry.path in tree.files:
            if difference := _difference(tree.files[entry.path], entry):
                yield _problem(ProblemKind.ALTERED, tree, entry, difference)
        elif shown(entry.path) not in reported:
            absent.append(entry)
    if tree.complete:
        for entry in absent:
            message = _("{manifest} lists it, but it is not in the bundle", manifest=MANIFEST)
            yield _problem(ProblemKind.UNREADABLE, tree, entry, message)
    elif absent:
        message = _(
            "{count:,} files that {manifest} lists are lost, from {shown} on",
            count=len(absent),
            manifest=MANIFEST,
            shown=shown(absent[0].path),
        )
        yield BundleProblem(ProblemKind.UNREADABLE, tree.source, "", message)


def vouched(manifest: Manifest | None, files: Mapping[str, Content]) -> frozenset[str]:
    """Return the paths for whose content the manifest has a checksum."""
    if manifest is None:
        return frozenset()
    entries = manifest.entries
    return frozenset(path for path in files if path in entries and entries[path].sha256)


def _difference(content: Content, entry: ManifestEntry) -> str:
    """Return how a file differs from what was collected; empty where it does not."""
    if entry.bytes is not None and content.size != entry.bytes:
        return _(
            "it has {size:,} bytes, {manifest} says {bytes:,}",
            size=content.size,
            manifest=MANIFEST,
            bytes=entry.bytes,
        )
    if entry.sha256 is not None and (digest := content.sha256()) != entry.sha256:
        return _(
            "its SHA-256 is {digest}, {manifest} says {sha256}",
            digest=digest,
            manifest=MANIFEST,
            sha256=entry.sha256,
        )
    return ""


def _problem(kind: ProblemKind, tree: Tree, entry: ManifestEntry, message: str) -> BundleProblem:
    ref = ObjectRef(MANIFEST, -1, ("entries", entry.index))
    return BundleProblem(kind, tree.source, shown(entry.path), message, ref)

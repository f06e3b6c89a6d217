"""The files of a bundle against its manifest: what was collected, what is there, what was changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from analyzer.bundle.manifest import Manifest, ManifestEntry
from analyzer.bundle.member import Content
from analyzer.bundle.member_name import shown
from analyzer.bundle.problem import BundleProblem, ProblemKind
from analyzer.bundle.root import MANIFEST
from analyzer.model.source import ObjectRef


def verify(
    manifest: Manifest, files: Mapping[str, Content], source: str, reported: Collection[str]
) -> Iterator[BundleProblem]:
    """Yield what is absent or differs; paths in `reported` are known to be absent for another reason."""
    for entry in manifest.entries.values():
        path = shown(entry.path)
        ref = ObjectRef(MANIFEST, -1, ("entries", entry.index))
        content = files.get(entry.path)
        if content is not None:
            if difference := _difference(content, entry):
                yield BundleProblem(ProblemKind.ALTERED, source, path, difference, ref)
        elif path not in reported:
            message = f"{MANIFEST} lists it, but it is not in the bundle"
            yield BundleProblem(ProblemKind.UNREADABLE, source, path, message, ref)


def vouched(manifest: Manifest | None, files: Mapping[str, Content]) -> frozenset[str]:
    """Return the paths for whose content the manifest has a checksum."""
    if manifest is None:
        return frozenset()
    entries = manifest.entries
    return frozenset(path for path in files if path in entries and entries[path].sha256)


def _difference(content: Content, entry: ManifestEntry) -> str:
    """Return how a file differs from what was collected; empty where it does not."""
    if entry.bytes is not None and content.size != entry.bytes:
        return f"it has {content.size:,} bytes, {MANIFEST} says {entry.bytes:,}"
    if entry.sha256 is not None and (digest := content.sha256()) != entry.sha256:
        return f"its SHA-256 is {digest}, {MANIFEST} says {entry.sha256}"
    return ""

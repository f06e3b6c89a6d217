"""What is in a bundle and what was asked for in vain: file by file, with time, size and standing."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.bundle.manifest import Manifest
from analyzer.bundle.problem import ProblemKind
from analyzer.bundle.reader import Bundle
from analyzer.language import _
from analyzer.model.bundle import BundleFile, Standing

_STANDINGS = {
    ProblemKind.UNSAFE: Standing.REFUSED,
    ProblemKind.ALTERED: Standing.ALTERED,
    ProblemKind.UNREADABLE: Standing.UNREADABLE,
}


def bundle_files(bundle: Bundle) -> tuple[BundleFile, ...]:
    """Return the files by path; those that are missing, and problems of whole inputs, among them."""
    return tuple(sorted(_files(bundle), key=lambda file: file.path))


def _files(bundle: Bundle) -> Iterator[BundleFile]:
    manifest = bundle.manifest or Manifest()
    troubled = {problem.path: problem for problem in bundle.problems}
    unverified = frozenset(bundle.unverified)
    for path in bundle.members:
        entry = manifest.entries.get(path)
        when = entry.started_at if entry else None
        problem = troubled.pop(path, None)
        if problem is not None:
            standing, reason = _STANDINGS[problem.kind], problem.message
        elif path in unverified:
            standing, reason = Standing.UNVERIFIED, _("no manifest vouches for it")
        else:
            standing, reason = Standing.VERIFIED, ""
        yield BundleFile(path, bundle.size(path), when, standing, reason)
    for problem in troubled.values():
        path = problem.path or problem.source
        yield BundleFile(path, None, None, _STANDINGS[problem.kind], problem.message)
    for absent in manifest.missing.values():
        if absent.path not in troubled and absent.path not in bundle.members:
            yield BundleFile(absent.path, None, None, Standing.MISSING, absent.reason)

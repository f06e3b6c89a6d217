"""Opening bundles: several inputs of one cluster as one set of named files, read on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from types import TracebackType
from typing import Self

from analyzer.bundle.archive import read_archive
from analyzer.bundle.directory import read_directory
from analyzer.bundle.integrity import verify, vouched
from analyzer.bundle.limits import Limits
from analyzer.bundle.manifest import Manifest
from analyzer.bundle.manifest_json import ManifestReading, read_manifest
from analyzer.bundle.member import Content
from analyzer.bundle.member_name import shown
from analyzer.bundle.problem import BundleProblem, ProblemKind
from analyzer.bundle.root import MANIFEST, rooted
from analyzer.bundle.text import decoded
from analyzer.bundle.tree import Tree
from analyzer.errors import BundleUnreadableError, UsageError
from analyzer.language import _, later
from analyzer.model.source import ParseProblem

_EXPECTED = later(
    "expected a bundle: an archive or a directory with manifest.json, cluster/, nodes/ or pods/"
)
_OF_THE_SYSTEM = (
    later("No such file or directory"),
    later("Permission denied"),
    later("Not a directory"),
)
"""What the C library says most often; it knows no language that was not installed."""

_PROBLEMS = 1000
"""Problems of one kind and input that are told one by one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bundle was read from."""

    paths: tuple[Path, ...]
    """Absolute."""

    limits: Limits


class Bundle:
    """The files of one cluster's bundles, and what is wrong with the bundles as such."""

    def __init__(self, parts: Sequence[_Part], resources: ExitStack, origin: Origin) -> None:
        self._resources = resources
        self._files: dict[str, Content] = {}
        for part in parts:
            self._files = {**part.files, **self._files}
        manifests = [part.manifest for part in parts if part.manifest is not None]

        self.origin = origin
        """What to open for the same bundle, in another process."""

        self.name = ", ".join(part.source for part in parts)
        """The inputs as the user named them."""

        self.members = tuple(sorted(self._files))
        """Paths from the bundle's root, with forward slashes, sorted."""

        self.manifest = reduce(Manifest.merged_with, manifests) if manifests else None
        """The manifests of all inputs as one; None without a legible one."""

        self.unverified = tuple(_unverified(parts, self.members))
        """Members for whose content no manifest vouches: whether they were changed is not known."""

        self.problems = tuple(_problems(parts))
        """What was refused, altered or unreadable, in the order of the inputs."""

    @property
    def manifest_missing(self) -> bool:
        """No input has a legible manifest: integrity was not verified."""
        return self.manifest is None

    def size(self, path: str) -> int:
        """Return the bytes of a member; raise KeyError for a path that is none."""
        return self._files[path].size

    def read(self, path: str) -> bytes:
        """Return a whole member, in any order; raise KeyError for a path that is none."""
        return self._files[path].read()

    def pieces(self, path: str, size: int) -> Iterator[bytes]:
        """Yield a whole member, at most `size` bytes at a time; raise KeyError for a path that is none."""
        return self._files[path].pieces(size)

    def text(self, path: str) -> tuple[str, tuple[ParseProblem, ...]]:
        """Return a member as text, and the first byte that is not UTF-8 as a problem."""
        return decoded(path, self.read(path))

    def close(self) -> None:
        """Give back open and temporary files."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Part:
    """One input."""

    source: str
    files: Mapping[str, Content]
    manifest: Manifest | None
    problems: tuple[BundleProblem, ...]

    @property
    def cluster(self) -> str:
        """The cluster's name; empty where no manifest says it."""
        return self.manifest.cluster if self.manifest else ""


def open_bundle(paths: Sequence[Path], limits: Limits = Limits()) -> Bundle:  # noqa: B008  # frozen
    """Read archives and directories of one cluster as one bundle; of a path in two of them the first wins.

    Raise BundleUnreadableError for an input that is no bundle, or of which nothing could be read.
    """
    if not paths:
        raise UsageError(_("no bundle was named"))
    with ExitStack() as resources:
        parts = [_part(path, limits, resources) for path in paths]
        origin = Origin(tuple(path.resolve() for path in paths), limits)
        return Bundle(parts, resources.pop_all(), origin)


def _part(path: Path, limits: Limits, resources: ExitStack) -> _Part:
    try:
        unrooted = _tree(path, limits, resources)
    except OSError as error:
        raise BundleUnreadableError(
            _(
                "{path}: {reason}; {expected}",
                path=path,
                reason=_(str(error.strerror)),
                expected=_(_EXPECTED),
            )
        ) from error
    tree = rooted(unrooted)
    if tree is None or not tree.files:
        raise BundleUnreadableError(_nothing_found(path, unrooted))
    reading = _manifest(tree, limits)
    differences = () if reading.manifest is None else verify(reading.manifest, tree)
    problems = (*tree.problems, *reading.problems, *differences)
    return _Part(tree.source, tree.files, reading.manifest, problems)


def _tree(path: Path, limits: Limits, resources: ExitStack) -> Tree:
    mode = path.stat().st_mode
    if S_ISDIR(mode):
        return read_directory(path, limits)
    if not S_ISREG(mode):
        raise BundleUnreadableError(
            _(
                "{path}: neither a file nor a directory; {expected}",
                path=path,
                expected=_(_EXPECTED),
            )
        )
    tree, store = read_archive(path, limits)
    resources.callback(store.close)
    return tree


def _nothing_found(path: Path, tree: Tree) -> str:
    if tree.problems:
        first = tree.problems[0]
        what = f"{first.path}: {first.message}" if first.path else first.message
        return _(
            "{path}: nothing of a bundle could be read: {what}; {expected}",
            path=path,
            what=what,
            expected=_(_EXPECTED),
        )
    archives = sorted(name for name in tree.files if name.endswith((".tgz", ".tar.gz", ".tar")))
    hint = (
        _(" (or did you mean {count}?)", count=path / archives[0])
        if archives and path.is_dir()
        else ""
    )
    return _(
        "{path}: holds no file of a bundle; {expected}{hint}",
        path=path,
        expected=_(_EXPECTED),
        hint=hint,
    )


def _manifest(tree: Tree, limits: Limits) -> ManifestReading:
    if MANIFEST not in tree.files:
        return ManifestReading(None, ())
    return read_manifest(tree.files[MANIFEST].read(), tree.source, limits)


def _unverified(parts: Iterable[_Part], members: Iterable[str]) -> Iterator[str]:
    verified: set[str] = {MANIFEST}
    seen: set[str] = set()
    for part in parts:
        verified |= vouched(part.manifest, part.files) - seen
        seen |= part.files.keys()
    return (path for path in members if path not in verified)


def _problems(parts: Sequence[_Part]) -> Iterator[BundleProblem]:
    first: dict[str, _Part] = {}
    for part in parts:
        found = (*part.problems, *_other_cluster(part, parts), *_duplicates(part, first))
        if MANIFEST in first:  # the manifest that the bundle shows is another one
            found = tuple(replace(problem, ref=None) for problem in found)
        yield from _capped(part.source, found)
        first = {**dict.fromkeys(part.files, part), **first}


def _other_cluster(part: _Part, parts: Sequence[_Part]) -> Iterator[BundleProblem]:
    """Yield a problem where a manifest names another cluster than the first that names one."""
    first = next((it for it in parts if it.cluster), part)
    if part.cluster and part.cluster != first.cluster:
        message = _(
            "it is of cluster {cluster}, {source} of {other}; both are read as one cluster",
            cluster=shown(part.cluster),
            source=first.source,
            other=shown(first.cluster),
        )
        yield BundleProblem(ProblemKind.ALTERED, part.source, MANIFEST, message)


def _duplicates(part: _Part, first: Mapping[str, _Part]) -> Iterator[BundleProblem]:
    """Yield the paths that an earlier input has with other content; each has a manifest of its own."""
    for path, content in part.files.items():
        if path != MANIFEST and path in first and _differs(content, first[path].files[path]):
            message = _(
                "refused: {source} has it with other content, which is used",
                source=first[path].source,
            )
            yield BundleProblem(ProblemKind.UNSAFE, part.source, path, message)


def _differs(one: Content, other: Content) -> bool:
    return one.size != other.size or one.sha256() != other.sha256()


def _capped(source: str, problems: Iterable[BundleProblem]) -> Iterator[BundleProblem]:
    counts = dict.fromkeys(ProblemKind, 0)
    for problem in problems:
        counts[problem.kind] += 1
        if counts[problem.kind] <= _PROBLEMS:
            yield problem
    for kind, count in counts.items():
        if count > _PROBLEMS:
            message = _(
                "{count:,} more members are {kind}", count=count - _PROBLEMS, kind=kind.value
            )
            yield BundleProblem(kind, source, "", message)

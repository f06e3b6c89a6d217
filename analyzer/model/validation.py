"""What can be said of a bundle as a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model.bundle import BundleIdentity, EntryProblem


@dataclass(frozen=True, slots=True)
class Gap:
    """A file that is absent or cut off, and the checks that need it."""

    path: str
    reason: str
    command: str
    checks: tuple[str, ...]
    """Slugs."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What can be said of a bundle as a bundle."""

    identity: BundleIdentity
    files: int
    """Number of files that svcbundle knows how to read."""

    ignored: tuple[str, ...]
    """Files that it does not know."""

    problems: tuple[EntryProblem, ...]
    gaps: tuple[Gap, ...]

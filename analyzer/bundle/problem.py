"""What is wrong with a bundle itself, before anybody looks at what its files say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analyzer.model.source import ObjectRef


class ProblemKind(Enum):
    """What was done about it; each kind is one check, `bundle-entry-<kind>`."""

    UNSAFE = "unsafe"
    """Refused: reading it could do harm, or nobody could say which of two is meant."""

    ALTERED = "altered"
    """Read, though it is not what the manifest says was collected."""

    UNREADABLE = "unreadable"
    """Not there, or not to be read: what it says is not known."""


@dataclass(frozen=True, slots=True)
class BundleProblem:
    """One member (or a whole input) that is refused, altered or not to be read; the rest was read."""

    kind: ProblemKind

    source: str
    """The input (archive or directory), as the user named it."""

    path: str
    """Path from the bundle's root, unprintable characters escaped; empty for the input as a whole."""

    message: str
    """What is wrong, with the option that raises a limit where it is one."""

    ref: ObjectRef | None = None
    """The place in `manifest.json` that shows it, where there is one."""

    def __str__(self) -> str:
        """`path: message`."""
        return f"{self.path or self.source}: {self.message}"

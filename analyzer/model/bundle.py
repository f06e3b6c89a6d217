"""What a bundle says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from analyzer.model.source import ObjectRef, SourceRef


@dataclass(frozen=True, slots=True)
class BundleIdentity:
    """What the bundle says about itself."""

    path: str
    cluster: str
    created_at: datetime | None
    redacted: bool
    verified: bool
    """True when a manifest was there to check the files against."""

    finished_at: datetime | None = None
    """When the last file was collected; None where the manifest does not say when any was."""


class EntryTrouble(Enum):
    """What is wrong with an entry of a bundle."""

    UNSAFE = "unsafe"
    """Refused: its name, kind or size is not allowed."""

    ALTERED = "altered"
    """Read, but not what the manifest says."""

    UNREADABLE = "unreadable"
    """Missing, damaged, or not in the form that its name promises."""


@dataclass(frozen=True, slots=True)
class EntryProblem:
    """One entry of the bundle that is refused, altered or unreadable, wholly or in a place."""

    trouble: EntryTrouble
    source: SourceRef
    """The place in the entry; line 1 where the entry as a whole is meant."""

    message: str
    stated: ObjectRef | None = None
    """The place in the manifest that says otherwise, where there is one."""

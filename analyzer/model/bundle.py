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


class Standing(Enum):
    """What is known about a file of the bundle."""

    VERIFIED = "verified"
    """As the manifest says."""

    UNVERIFIED = "unverified"
    """No manifest vouches for what is in it."""

    ALTERED = "altered"
    """Not what the manifest says."""

    REFUSED = "refused"
    """Not read: it could do harm."""

    UNREADABLE = "unreadable"
    """In the manifest, and not in the bundle or not to be read."""

    MISSING = "missing"
    """Asked for when the bundle was made, and not got."""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file of the bundle, or one that ought to be there."""

    path: str
    size: int | None
    """Bytes; None where it is not there."""

    collected_at: datetime | None
    """None where the manifest does not say when."""

    standing: Standing
    reason: str = ""
    """Why it is not verified; empty where it is."""

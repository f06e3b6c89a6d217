"""What a bundle's manifest says: what was asked for, what came, what did not, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One file that was collected."""

    path: str
    command: tuple[str, ...] = ()
    started_at: datetime | None = None
    """With time zone; None where the manifest does not say."""

    duration_ms: float | None = None
    exit_code: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    """In lower-case hexadecimal."""

    truncated: bool = False
    """The collector cut the file: what is absent from it may have been there."""

    stderr: str = ""

    index: int = -1
    """Position in the manifest's `entries`, from 0."""


@dataclass(frozen=True, slots=True)
class MissingFile:
    """One file that was asked for and did not come."""

    path: str
    reason: str = ""
    command: tuple[str, ...] = ()
    index: int = -1
    """Position in the manifest's `missing`, from 0."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.json`; what of it was wrong is left out and reported."""

    format: str = ""
    tool: str = ""
    """Name and version of the program that wrote the bundle."""

    cluster: str = ""
    created_at: datetime | None = None
    """With time zone; None where the manifest does not say, or not legibly."""

    redacted: bool = False
    nodes: Mapping[str, str] = field(default_factory=dict)
    """How each node was reached, by node name; empty where the manifest does not say how."""

    entries: Mapping[str, ManifestEntry] = field(default_factory=dict)
    """By path."""

    missing: Mapping[str, MissingFile] = field(default_factory=dict)
    """By path."""

    namespaces: tuple[str, ...] = ()
    """Where the objects were restricted to some namespaces, these: a list of them is whole, although cut."""

    def merged_with(self, other: Manifest) -> Manifest:
        """Return both as one: this manifest's own words, and what only the other one lists."""
        return Manifest(
            self.format,
            self.tool,
            self.cluster or other.cluster,
            self.created_at or other.created_at,
            self.redacted or other.redacted,
            {**other.nodes, **self.nodes},
            {**other.entries, **self.entries},
            {**other.missing, **self.missing},
            self.namespaces or other.namespaces,
        )

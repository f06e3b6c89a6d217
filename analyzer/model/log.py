"""A log entry of kube-proxy, kubelet or CoreDNS, whatever wrapping it came in."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from msgspec import Struct

from analyzer.model.source import SourceRef


class Level(Enum):
    """klog's severity letter; UNKNOWN where the line has none."""

    INFO = "I"
    WARNING = "W"
    ERROR = "E"
    FATAL = "F"
    UNKNOWN = ""


class LogEntry(Struct, frozen=True, gc=False):
    """One entry; one that goes over several lines counts once, at its first line.

    A struct and not a dataclass: a log of 100 MB has 700,000 of them.
    """

    source: SourceRef
    level: Level
    message: str
    """The message; for a structured entry the quoted text alone (`Failed to list`), unquoted."""

    values: dict[str, str]
    """`key=value` pairs of a structured entry, values unquoted; empty for an unstructured one."""

    origin: str = ""
    """`file.go:123` of the klog header; empty where there is none."""

    time: datetime | None = None
    """When it was logged, aware where the wrapping tells the zone; None where it cannot be told (klog has no year)."""

    clock: str = ""
    """`1123 02:51:17.929098` as klog prints it; empty where there is none."""

    lines: int = 1
    """How many lines of the file the entry covers, from `source.line` on."""

    @property
    def text(self) -> str:
        """Message and values on one line, for searching: `Failed to list err=…`."""
        pairs = " ".join(f"{key}={value}" for key, value in self.values.items())
        return f"{self.message} {pairs}" if pairs else self.message

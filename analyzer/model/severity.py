"""How grave a problem is."""

from __future__ import annotations

from enum import Enum

from analyzer.language import later


class Severity(Enum):
    """How much a finding matters; people are told `_(severity.value)`."""

    ERROR = later("error")
    """A Service or a node does not work."""

    WARNING = later("warning")
    """It works partly, sometimes, or from some places only."""

    INFO = later("info")
    """Advice."""

    @property
    def order(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)

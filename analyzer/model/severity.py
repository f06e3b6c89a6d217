"""How grave a problem is."""

from __future__ import annotations

from enum import Enum


class Severity(Enum):
    """How much a finding matters."""

    ERROR = "error"
    """A Service or a node does not work."""

    WARNING = "warning"
    """It works partly, sometimes, or from some places only."""

    INFO = "info"
    """Advice."""

    @property
    def order(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)

"""What the clients of a Service get."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What a client of the Service sees."""

    BROKEN = "broken"
    """No client gets an answer."""

    DEGRADED = "degraded"
    """Some do, or sometimes."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"

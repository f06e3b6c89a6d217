"""How severities, statuses and verdicts are said and marked."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.language import _, later
from analyzer.model.severity import Severity
from analyzer.model.station import Status
from analyzer.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign for something that a table has no room to spell."""

    sign: str
    word: str
    """In English; who shows it says `_(mark.word)`."""


STATUS_MARKS = {
    Status.PASS: Mark("✓", later("pass")),
    Status.FAIL: Mark("✗", later("fail")),
    Status.WARN: Mark("!", later("warn")),
    Status.NOT_EVALUATED: Mark("?", later("not evaluated")),
    Status.NOT_APPLICABLE: Mark("–", later("not applicable")),  # noqa: RUF001 - a dash
}

VERDICT_ORDER = (Verdict.BROKEN, Verdict.DEGRADED, Verdict.UNKNOWN, Verdict.HEALTHY)
"""Gravest first."""

SEVERITY_MARKS = {
    Severity.ERROR: Mark("✗", later("Error")),
    Severity.WARNING: Mark("!", later("Warning")),
    Severity.INFO: Mark("i", later("Advice")),
}

VERDICT_MARKS = {
    Verdict.BROKEN: Mark("✗", later("broken")),
    Verdict.DEGRADED: Mark("!", later("degraded")),
    Verdict.UNKNOWN: Mark("?", later("unknown")),
    Verdict.HEALTHY: Mark("✓", later("healthy")),
}

_ENDS = tuple(".!?…:\u3002\uff01\uff1f\uff1a")
"""Those of Chinese as well."""


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends in a mark of its own."""
    return text if text.endswith(_ENDS) else _("{text}.", text=text)

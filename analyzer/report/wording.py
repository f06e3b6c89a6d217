"""How severities, statuses and verdicts are said and marked."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.findings import Severity, Status, Verdict


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign for something that a table has no room to spell."""

    sign: str
    word: str


STATUS_MARKS = {
    Status.PASS: Mark("✓", "pass"),
    Status.FAIL: Mark("✗", "fail"),
    Status.WARN: Mark("!", "warn"),
    Status.NOT_EVALUATED: Mark("?", "not evaluated"),
    Status.NOT_APPLICABLE: Mark("–", "not applicable"),  # noqa: RUF001 - a dash
}

VERDICT_ORDER = (Verdict.BROKEN, Verdict.DEGRADED, Verdict.UNKNOWN, Verdict.HEALTHY)
"""Gravest first."""

SEVERITY_MARKS = {
    Severity.ERROR: Mark("✗", "Error"),
    Severity.WARNING: Mark("!", "Warning"),
    Severity.INFO: Mark("i", "Advice"),
}

VERDICT_MARKS = {
    Verdict.BROKEN: Mark("✗", "broken"),
    Verdict.DEGRADED: Mark("!", "degraded"),
    Verdict.UNKNOWN: Mark("?", "unknown"),
    Verdict.HEALTHY: Mark("✓", "healthy"),
}


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends in a mark of its own."""
    return text if text.endswith((".", "!", "?", "…", ":")) else f"{text}."

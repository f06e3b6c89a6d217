"""How numbers, lists, severities and statuses are said in English."""

from __future__ import annotations

from collections.abc import Sequence
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

SEVERITY_WORDS = {
    Severity.ERROR: "Error",
    Severity.WARNING: "Warning",
    Severity.INFO: "Advice",
}


def counted(number: int, noun: str) -> str:
    """`1 Service`, `1,204 Services`."""
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"


def listed(items: Sequence[str], limit: int = 5) -> str:
    """Join as `a, b and c`, or `a, b and 12 more` where there are more than the limit."""
    if len(items) > limit:
        return f"{', '.join(items[: limit - 1])} and {len(items) - limit + 1:,} more"
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends in a mark of its own."""
    return text if text.endswith((".", "!", "?", "…", ":")) else f"{text}."

"""Texts of a stranger as Markdown that shows them and nothing else.

What GitHub, GitLab and editors that take pasted Markdown (Jira among them) agree on: no raw HTML, and
nothing that they would turn into a mention, a reference, a link, a formula or a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from analyzer.report.visible import visible

_ACTIVE = re.compile(r"[`*_\[\]<>#~|\\&!@${}^+]|://|www\.|^[-/=:]|^\d+[.)]$")
"""What makes a word more than text in some dialect."""

_AFTER = ".,;:!?)…"
"""Marks of the sentence around a word."""

_TICKS = re.compile("`+")


def inline(text: str) -> str:
    """Return a text as a line of Markdown: words with active characters are set as code."""
    parts: list[str] = []
    quoted: list[str] = []
    for word in visible(text).split(" "):
        if _ACTIVE.search(word):
            quoted.append(word)
            continue
        parts += _flushed(quoted)
        quoted = []
        if word:
            parts.append(word)
    parts += _flushed(quoted)
    return " ".join(parts)


def code(text: str) -> str:
    """Return a text as a code span, whatever backticks it holds."""
    shown = visible(text)
    fence = "`" * (_longest(shown) + 1)
    pad = " " if not shown.strip(" ") or shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def fenced(lines: Sequence[str], language: str = "") -> str:
    """Return lines as a code block that no line of them can end."""
    shown = [visible(line) for line in lines]
    fence = "`" * max(3, max(map(_longest, shown), default=0) + 1)
    return "\n".join((f"{fence}{language}", *shown, fence))


def table_row(cells: Iterable[str]) -> str:
    """Return a row of a table; its cells are Markdown already."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _flushed(words: Sequence[str]) -> list[str]:
    """Return words as one code span, without the marks of the sentence that follow them."""
    if not words:
        return []
    text = " ".join(words)
    body = text.rstrip(_AFTER) or text
    return [code(body) + text[len(body) :]]


def _longest(text: str) -> int:
    return max((len(ticks) for ticks in _TICKS.findall(text)), default=0)

"""Lines for a terminal: painted, wrapped at blanks, padded and shortened by columns, not characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache

from analyzer.report.visible import cells

_WIDE = "\u2e80-\u9fff\uff00-\uffef"
_OPENING, _CLOSING = (
    "\uff08\u300a\u300c\u201c",
    "\uff09\u300b\u300d\u201d\u3001\u3002\uff0c\uff1a\uff1b\uff01\uff1f",
)
_PAINT = re.compile("\x1b\\[[0-9;]*m")


class Paint(Enum):
    """A colour or weight by its meaning; the value is the parameter of SGR (ECMA-48, 8.3.117)."""

    STRONG = "1"
    FAINT = "2"
    BAD = "31;1"
    GOOD = "32"
    WARNING = "33;1"
    NOTE = "36"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the output goes to."""

    width: int
    """Columns of a line."""

    color: bool
    """True where escape sequences for colour are understood."""

    def paint(self, text: str, paint: Paint) -> str:
        """Return the text in a colour, or as it is where colour is not wanted."""
        return f"\x1b[{paint.value}m{text}\x1b[0m" if self.color and text else text

    def wrap(self, text: str, first: str = "", rest: str | None = None) -> Iterator[str]:
        """Yield lines of at most the width, broken at blanks and in Chinese, `first` and then `rest` before each.

        A word longer than a line (a path with its line number, a chain name) is never cut.
        """
        indent = rest if rest is not None else " " * cells(first)
        line, used = first, cells(first)
        empty = True
        for piece in _pieces(text.isascii()).finditer(text.strip(" ")):
            word, blank = piece["word"], piece["blank"][:1]
            size = cells(_PAINT.sub("", word))
            if not empty and used + len(blank) + size > self.width:
                yield line.rstrip(" ")
                line, used, empty = indent, cells(indent), True
            line += word if empty else blank + word
            used += size + (0 if empty else len(blank))
            empty = False
        yield line.rstrip(" ")


@cache
def _pieces(ascii_only: bool) -> re.Pattern[str]:
    """Return what stays on one line: a word, or one character of a script without blanks, with its marks.

    To compile what only other scripts need takes longer than most English text takes to wrap.
    """
    if ascii_only:
        return re.compile("(?P<blank> *)(?P<word>[^ ]+)")
    return re.compile(
        f"(?P<blank> *)(?P<word>[{_OPENING}]*(?:[{_WIDE}]|[^ {_WIDE}{_OPENING}]+)[{_CLOSING}]*)"
    )


def pad(text: str, columns: int) -> str:
    """Return the text filled with blanks to a number of columns."""
    return text + " " * (columns - cells(text))


def shorten(text: str, columns: int, keep: tuple[int, int] = (0, 0)) -> str:
    """Return at most so many columns of a text, `…` where some was left out.

    `keep`: from and to which character the part goes that must stay in sight.
    """
    if cells(text) <= columns:
        return text
    room = max(columns, 3)
    start = _start(text, room, keep)
    head = "…" if start else ""
    if cells(head + text[start:]) <= room:
        return head + text[start:]
    excerpt = head
    for character in text[start:]:
        if cells(excerpt) + cells(character) > room - 1:
            break
        excerpt += character
    return f"{excerpt}…"


def _start(text: str, room: int, keep: tuple[int, int]) -> int:
    """Return where an excerpt begins so that the kept part stands in it, with what leads to it."""
    begin, end = keep
    if cells(text[:end]) <= room - 1:
        return 0
    lead = max((room - 2 - cells(text[begin:end])) // 2, 0)
    start = begin
    while start > 0 and (cells(text[start - 1 : begin]) <= lead or cells(text[start - 1 :]) < room):
        start -= 1
    return start

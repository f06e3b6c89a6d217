"""Where each part of a picture stands, in units of a pixel: from left to right, and for narrow screens downwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from analyzer.report.path_parts import Box, Tone
from analyzer.report.visible import cells, visible

_TITLE, _NOTE = 7.3, 6.2
"""Widths of a character of a title and of a note."""

_LINE, _PAD, _GAP, _LANE_GAP = 15, 8, 10, 22
_NOTE_LINES = 3
_HEAD = 22
"""Height of the column heads."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its place."""

    x: int
    y: int
    width: int
    height: int
    title: str
    """Shortened to what the box can hold."""

    notes: tuple[str, ...]
    """Broken into lines."""

    box: Box

    @property
    def middle(self) -> int:
        """Where lines from left and right meet it."""
        return self.y + self.height // 2

    @property
    def right(self) -> int:
        """Its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """Its lower side."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two boxes."""

    path: str
    """Commands of SVG."""

    tone: Tone
    marks: tuple[int, ...] = ()
    x: int = 0
    y: int = 0
    """Where its marks stand."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text without a box; `anchor` is SVG's."""

    x: int
    y: int
    text: str
    anchor: str = "start"


@dataclass(slots=True)
class Drawing:
    """A picture ready to be written down."""

    width: int
    height: int = 0
    boxes: list[Placed] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def add(self, box: Box, x: int, y: int, width: int) -> Placed:
        """Place a box with its upper left corner."""
        placed = _placed(box, x, y, width)
        self.boxes.append(placed)
        self.height = max(self.height, placed.bottom + 2)
        return placed


def fit(text: str, width: float) -> str:
    """Return a text in so many characters, its middle left out: names differ at their ends."""
    room = int(width)
    if cells(text) <= room:
        return text
    tail = max((room - 1) // 2, 1)
    head = room - 1 - tail
    return f"{_within(text, head)}…{_within(text[::-1], tail)[::-1]}"


def _within(text: str, room: int) -> str:
    taken = ""
    for character in text[: room + 1]:
        if cells(taken + character) > room:
            break
        taken += character
    return taken


def height_of(box: Box, width: int) -> int:
    """Return how high a box of that width is."""
    return 2 * _PAD + _LINE * (1 + len(_notes(box, width))) - 3 & ~1


def _placed(box: Box, x: int, y: int, width: int) -> Placed:
    room = width - 2 * _PAD - (12 if box.tone is not Tone.PLAIN else 0)
    title = fit(visible(box.title), room / _TITLE)
    return Placed(x, y, width, height_of(box, width), title, tuple(_notes(box, width)), box)


def _notes(box: Box, width: int) -> list[str]:
    room = int((width - 2 * _PAD) / _NOTE)
    lines = [line for note in box.notes for line in _wrapped(visible(note), room)]
    return (
        lines
        if len(lines) <= _NOTE_LINES
        else [*lines[: _NOTE_LINES - 1], f"{fit(lines[_NOTE_LINES - 1], room - 1)}…"]
    )


def _wrapped(text: str, room: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and cells(line) + 1 + cells(word) > room:
            yield fit(line, room)
            line = word
        else:
            line = f"{line} {word}".strip()
    yield fit(line, room)

"""Which part of a bundle's line a claim is about: the names and values that the claim says too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(r"""[^\s,;()"'`\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+""")
"""Chinese is written without blanks: its characters and marks end a name too."""

_NAME = re.compile(r"[\d=./_:-]|[A-Z]{2}")
"""What tells a name or value (`run=web`, `node-b`, `KUBE-SVC-…`, `10.0.0.1`) from a word."""

_JOINTS = re.compile(r"[=:/]")
_PREFIX_LENGTH = re.compile(r"/\d+$")
_SHORTEST = 3
_MOST = 40


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a line."""

    text: str
    decisive: bool = False


def segments(line: str, claim: str) -> tuple[Segment, ...]:
    """Return the pieces of a line, those marked that repeat a name or value of the claim."""
    pieces: list[Segment] = []
    position = 0
    for start, end in decisive_parts(line, claim):
        if start > position:
            pieces.append(Segment(line[position:start]))
        pieces.append(Segment(line[start:end], decisive=True))
        position = end
    if position < len(line) or not pieces:
        pieces.append(Segment(line[position:]))
    return tuple(pieces)


def decisive_parts(line: str, claim: str) -> tuple[tuple[int, int], ...]:
    """Return from and to which character of the line each repeated name or value goes."""
    names = sorted(dict.fromkeys(_names(claim)), key=lambda name: (-len(name), name))[:_MOST]
    if not names:
        return ()
    anyone = "|".join(re.escape(name) for name in names)
    pattern = re.compile(rf"(?<![\w-])(?<!\w\.)(?:{anyone})(?![\w-]|\.\w)")
    return tuple(found.span() for found in pattern.finditer(line))


def _names(claim: str) -> Iterator[str]:
    for word in _WORD.findall(claim):
        name = word.rstrip(".:…")
        if not _NAME.search(name):
            continue
        for part in (name, *_JOINTS.split(_PREFIX_LENGTH.sub("", name))):
            if len(part) >= _SHORTEST or (part.isdecimal() and len(part) > 1):
                yield part

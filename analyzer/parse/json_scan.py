"""Positions in raw JSON, found without decoding it: for documents of hundreds of megabytes, and for damaged ones.

Nothing here recurses, so that no nesting is too deep. A position is a byte offset. Broken JSON ends an iteration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import msgspec

_BLANKS = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,:"\[\]{}]++')
_TO_BRACKET = re.compile(
    rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL
)
_QUOTED = re.compile(rb'"[^"]*"')
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'"[]{}')


@dataclass(frozen=True, slots=True)
class Member:
    """One `"key": value` of an object."""

    key: str
    key_start: int
    value_start: int


@dataclass(frozen=True, slots=True)
class Elements:
    """The complete elements of an array that may be damaged."""

    spans: Sequence[slice]
    end: int
    """Where reading stopped."""

    closed: bool = False
    """The array's closing bracket was found."""

    cut_off: bool = False
    """The data ends inside the array."""


def skip_blanks(data: bytes, position: int) -> int:
    """Return the first position that is no white space."""
    match = _BLANKS.match(data, position)
    return match.end() if match else position


def value_end(data: bytes, start: int) -> int | None:
    """Return the position behind a value; None where the data ends inside it, or where no value begins."""
    if data[start : start + 1] not in {b"[", b"{"}:
        match = _STRING.match(data, start) or _SCALAR.match(data, start)
        return match.end() if match else None
    depth = 0
    while bracket := _TO_BRACKET.match(data, start):
        start = bracket.end()
        depth += 1 if bracket[1] in {b"[", b"{"} else -1
        if depth == 0:
            return start
    return None


def members(data: bytes, start: int) -> Iterator[Member]:
    """Yield the members of the object that begins at a position; nothing where none does."""
    position = start + 1 if data[start : start + 1] == b"{" else len(data)
    while key := _STRING.match(data, skip_blanks(data, position)):
        colon = skip_blanks(data, key.end())
        if data[colon : colon + 1] != b":":
            return
        value_start = skip_blanks(data, colon + 1)
        yield Member(_text(key[0]), key.start(), value_start)
        end = value_end(data, value_start)
        position = _behind_comma(data, end)


def elements(data: bytes, start: int) -> Iterator[int]:
    """Yield where each element of the array that begins at a position begins; nothing where none does."""
    position = start + 1 if data[start : start + 1] == b"[" else len(data)
    while (position := skip_blanks(data, position)) < len(data):
        if data[position : position + 1] == b"]":
            return
        yield position
        position = _behind_comma(data, value_end(data, position))


def complete_elements(data: bytes, start: int) -> Elements:
    """Return the elements of the array that begins at a position, as far as their brackets are complete."""
    spans: list[slice] = []
    position = skip_blanks(data, start + 1)
    while data[position : position + 1] not in {b"]", b""}:
        end = value_end(data, position)
        if end is None:
            return Elements(spans, position, cut_off=True)
        spans.append(slice(position, end))
        position = skip_blanks(data, end)
        if data[position : position + 1] == b",":
            position = skip_blanks(data, position + 1)
        elif data[position : position + 1] not in {b"]", b""}:
            return Elements(spans, position)
    closed = position < len(data)
    return Elements(spans, position, closed=closed, cut_off=not closed)


def is_deeper_than(limit: int, json: bytes) -> bool:
    """Tell whether brackets are nested deeper than a limit."""
    brackets = _brackets(json)
    if len(brackets) <= limit or _is_emptied(brackets, passes=limit // 2):
        return False
    steps = (1 if bracket in b"[{" else -1 for bracket in brackets)
    return max(accumulate(steps), default=0) > limit


def _brackets(json: bytes) -> bytes:
    """Return the brackets that stand outside of strings."""
    if b"\\" in json:
        json = json.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes in a row are a string without brackets, or between two strings: without them the others pair alike.
    structure = json.translate(None, _NO_STRUCTURE).replace(b'""', b"")
    return _QUOTED.sub(b"", structure) if b'"' in structure else structure


def _is_emptied(brackets: bytes, passes: int) -> bool:
    """Tell whether nothing is left when innermost pairs are taken out, at most two levels in a pass."""
    for _ in range(passes):
        if not brackets:
            break
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return not brackets


def _behind_comma(data: bytes, end: int | None) -> int:
    """Return the position behind the comma after a value; the end of the data where none follows."""
    if end is None:
        return len(data)
    comma = skip_blanks(data, end)
    return comma + 1 if data[comma : comma + 1] == b"," else len(data)


def _text(quoted: bytes) -> str:
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return quoted[1:-1].decode(errors="replace")

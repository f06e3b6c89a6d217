"""Where in a bundle file a field of an object stands: the line that evidence shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice

import yaml

from analyzer.model.source import ObjectRef, split_lines
from analyzer.parse.json_items import JsonItems, read_items
from analyzer.parse.json_scan import Member, elements, members
from analyzer.parse.yaml_tree import YamlError, compose_yaml, is_yaml

_SHOWN = 400
_BEFORE = 100
"""Characters shown in front of the field where its line is too long."""

_WINDOW = 4 * _SHOWN
"""Bytes on each side of a column that are looked at: a character has at most four."""

_BLOCK = 1 << 20
_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a text file."""

    line: int
    """From 1."""

    column: int
    """In characters, from 1."""

    text: str
    """The line; of a long one, at most 400 characters around the column."""


def locate(data: bytes, ref: ObjectRef) -> Location:
    """Return where the deepest field that exists of a reference stands; for many references, see `Locator`."""
    return Locator(ref.path, data).locate(ref)


class Locator:
    """Finds fields in one file.

    A member is found at its key, an element where it begins, an object or document at its first bracket. Keys
    are compared exactly, then without regard to case: kube-proxy's /configz spells them otherwise than its file.
    """

    def __init__(self, path: str, data: bytes) -> None:
        self._path = path
        self._given = data

    def locate(self, ref: ObjectRef) -> Location:
        """Return where the deepest field that exists of a reference stands."""
        if is_yaml(self._path):
            return self._in_yaml(ref)
        file = self._items.file
        if file.start is None or ref.index >= len(self._starts):
            return self._at(file.start or 0)
        start = self._starts[ref.index] if ref.index >= 0 else file.start
        return self._at(_field(file.data, start, ref.field))

    @cached_property
    def _items(self) -> JsonItems:
        return read_items(self._path, self._given)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return tuple(self._items.starts())

    @cached_property
    def _line_feeds(self) -> tuple[int, ...]:
        """Line feeds before each block of the file."""
        data = self._items.file.data
        counts = (data.count(b"\n", start, start + _BLOCK) for start in range(0, len(data), _BLOCK))
        return tuple(accumulate(counts, initial=0))

    def _at(self, offset: int) -> Location:
        data = self._items.file.data
        block = offset // _BLOCK
        line = self._line_feeds[block] + data.count(b"\n", block * _BLOCK, offset) + 1
        start = data.rfind(b"\n", 0, offset) + 1
        end = data.find(b"\n", offset)
        end = len(data) if end < 0 else end
        before = data[max(start, offset - _WINDOW) : offset]
        behind = data[offset : min(end, offset + _WINDOW)].rstrip(b"\r")
        cut = offset - start > _WINDOW or end - offset > _WINDOW
        return Location(line, self._column(start, offset), _shown(before, behind, cut=cut))

    def _column(self, line_start: int, offset: int) -> int:
        if self._is_ascii:
            return offset - line_start + 1
        before = self._items.file.data[line_start:offset]
        return len(before.translate(None, _CONTINUATION_BYTES)) + 1

    @cached_property
    def _is_ascii(self) -> bool:
        return self._items.file.data.isascii()

    def _in_yaml(self, ref: ObjectRef) -> Location:
        text = "\n".join(split_lines(self._given.decode("utf-8-sig", errors="replace")))
        offset = _yaml_field(text, ref)
        start = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", offset)
        line = text[start : end if end >= 0 else None]
        column = offset - start
        before, behind = line[:column].encode(), line[column:].encode()
        shown = _shown(before, behind, cut=False)
        return Location(text.count("\n", 0, offset) + 1, column + 1, shown)


def _field(data: bytes, start: int, field: Sequence[str | int]) -> int:
    """Return where the deepest part of a field that exists stands in the value that begins at `start`."""
    found = value = start
    for part in field:
        if data[value : value + 1] == b"[" and isinstance(part, int):
            element = next(islice(elements(data, value), max(part, 0), None), None)
            if element is None:
                break
            found = value = element
        else:
            member = _member(data, value, str(part))
            if member is None:
                break
            found, value = member.key_start, member.value_start
    return found


def _member(data: bytes, start: int, key: str) -> Member | None:
    """Return the member of a key, the last of them, as the decoder takes it."""
    exact = folded = None
    for member in members(data, start):
        if member.key == key:
            exact = member
        elif member.key.casefold() == key.casefold():
            folded = member
    return exact or folded


def _yaml_field(text: str, ref: ObjectRef) -> int:
    """Return the offset in characters of the deepest part of a field that exists."""
    try:
        node = compose_yaml(text)
    except YamlError as error:
        lines = text.split("\n")[: error.line - 1]
        return min(sum(len(line) + 1 for line in lines), len(text))
    if node is None:
        return 0
    path = ref.field
    if ref.index >= 0 and isinstance(node, yaml.SequenceNode):
        path = (ref.index, *path)
    elif ref.index >= 0 and _entry(node, "items"):
        path = ("items", ref.index, *path)
    offset = node.start_mark.index
    for part in path:
        entry = _entry(node, part)
        if entry is None:
            break
        offset, node = entry.start, entry.value
    return offset


@dataclass(frozen=True, slots=True)
class _Entry:
    """A child of a YAML node, and where it begins: its key, if it has one."""

    start: int
    value: yaml.Node


def _entry(node: yaml.Node, part: str | int) -> _Entry | None:
    if isinstance(node, yaml.SequenceNode):
        if not isinstance(part, int) or part >= len(node.value):
            return None
        return _Entry(node.value[part].start_mark.index, node.value[part])
    if not isinstance(node, yaml.MappingNode):
        return None
    wanted = str(part)
    pairs = [(str(key.value), key, value) for key, value in reversed(node.value)]
    exact = [pair for pair in pairs if pair[0] == wanted]
    folded = [pair for pair in pairs if pair[0].casefold() == wanted.casefold()]
    return next((_Entry(key.start_mark.index, value) for _, key, value in exact + folded), None)


def _shown(before: bytes, behind: bytes, *, cut: bool) -> str:
    """Return a line, given what stands before and behind its column; of a long one the part around it."""
    head, tail = before.decode(errors="replace"), behind.decode(errors="replace")
    if not cut and len(head) + len(tail) <= _SHOWN:
        return head + tail
    if len(head) > _BEFORE:
        head = f"…{head[1 - _BEFORE :]}"
    room = _SHOWN - len(head)
    return head + (tail if len(tail) <= room else f"{tail[: room - 1]}…")

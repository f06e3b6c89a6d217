"""The little Markdown that docstrings of checks use, read into blocks.

Paragraphs, `##` headings, lists, code blocks (indented or fenced), and `code` within a line. Anything
else is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

_HEADING = re.compile(r"#{1,6} +(?P<text>\S.*)")
_ITEM = re.compile(r"(?:[-*]|\d{1,3}[.)]) +(?P<text>\S.*)")
_CODE = re.compile(r"(?P<fence>`+)(?P<code>[^`]+)(?P=fence)")
_FENCE = "```"
_INDENT = "    "


class BlockKind(Enum):
    """What a block of text is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line."""

    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list or code block."""

    kind: BlockKind
    lines: tuple[tuple[Span, ...], ...]
    """The items of a list, the lines of a code block; one line for a paragraph or heading."""

    @property
    def text(self) -> str:
        """The lines without markup."""
        return "\n".join("".join(span.text for span in line) for line in self.lines)


def blocks_of(text: str) -> tuple[Block, ...]:
    """Return the blocks of a dedented text, in order."""
    lines = text.split("\n")
    blocks: list[Block] = []
    start = 0
    while start < len(lines):
        if not lines[start].strip():
            start += 1
            continue
        kind = _kind(lines[start])
        end = _READERS[kind].end(lines, start)
        blocks.append(Block(kind, _READERS[kind].content(lines[start:end])))
        start = end
    return tuple(blocks)


def code_block(*lines: str) -> Block:
    """Return a code block of the lines."""
    return Block(BlockKind.CODE, tuple((Span(line, code=True),) for line in lines))


def paragraph(text: str) -> Block:
    """Return a paragraph of one text, with its `code` recognised."""
    return Block(BlockKind.PARAGRAPH, (tuple(_spans(text)),))


def _kind(line: str) -> BlockKind:
    if line.startswith((_FENCE, _INDENT)):
        return BlockKind.CODE
    if _HEADING.fullmatch(line):
        return BlockKind.HEADING
    return BlockKind.LIST if _ITEM.fullmatch(line) else BlockKind.PARAGRAPH


def _spans(text: str) -> Iterator[Span]:
    position = 0
    for found in _CODE.finditer(text):
        if found.start() > position:
            yield Span(text[position : found.start()])
        yield Span(found["code"], code=True)
        position = found.end()
    if position < len(text):
        yield Span(text[position:])


# --- where a block ends, and what is in it ---


@dataclass(frozen=True, slots=True)
class _Reader:
    end: Callable[[list[str], int], int]
    """First line after the block that starts at a line."""

    content: Callable[[list[str]], tuple[tuple[Span, ...], ...]]


def _end_of_code(lines: list[str], start: int) -> int:
    if lines[start].startswith(_FENCE):
        closing = (n for n in range(start + 1, len(lines)) if lines[n].startswith(_FENCE))
        return next(closing, len(lines) - 1) + 1
    end = start
    while end < len(lines) and lines[end].startswith(_INDENT):
        end += 1
    return end


def _code(lines: list[str]) -> tuple[tuple[Span, ...], ...]:
    if lines[0].startswith(_FENCE):
        inner = lines[1:-1] if lines[-1].startswith(_FENCE) and len(lines) > 1 else lines[1:]
    else:
        inner = [line.removeprefix(_INDENT) for line in lines]
    return code_block(*inner).lines


def _end_of_line(lines: list[str], start: int) -> int:
    return start + 1 if lines else start


def _heading(lines: list[str]) -> tuple[tuple[Span, ...], ...]:
    return (tuple(_spans(lines[0].lstrip("#").strip())),)


def _end_of_list(lines: list[str], start: int) -> int:
    end = start + 1
    while end < len(lines) and (_ITEM.fullmatch(lines[end]) or lines[end].startswith("  ")):
        end += 1
    return end


def _items(lines: list[str]) -> tuple[tuple[Span, ...], ...]:
    items: list[str] = []
    for line in lines:
        if found := _ITEM.fullmatch(line):
            items.append(found["text"])
        else:
            items[-1] += f" {line.strip()}"
    return tuple(tuple(_spans(item)) for item in items)


def _end_of_paragraph(lines: list[str], start: int) -> int:
    end = start + 1
    while end < len(lines) and lines[end].strip() and _kind(lines[end]) is BlockKind.PARAGRAPH:
        end += 1
    return end


def _sentence(lines: list[str]) -> tuple[tuple[Span, ...], ...]:
    return paragraph(" ".join(line.strip() for line in lines)).lines


_READERS = {
    BlockKind.CODE: _Reader(_end_of_code, _code),
    BlockKind.HEADING: _Reader(_end_of_line, _heading),
    BlockKind.LIST: _Reader(_end_of_list, _items),
    BlockKind.PARAGRAPH: _Reader(_end_of_paragraph, _sentence),
}

"""A tree drawn with lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Branch:
    """A line with what hangs below it."""

    text: str
    children: tuple[Branch, ...] = ()


def draw(branch: Branch, indent: str = "") -> Iterator[str]:
    """Yield the lines of a tree; `indent` stands before every line but the first."""
    yield branch.text
    for child in branch.children:
        last = child is branch.children[-1]
        first, *rest = draw(child, indent + ("   " if last else "│  "))
        yield f"{indent}{'└─' if last else '├─'} {first}"
        yield from rest

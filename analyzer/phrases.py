"""Numbers and lists as words, for the messages of checks."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.language import _

_PAIR = 2
_LONGEST = 160
"""Characters of a quoted text that a message can bear."""


def counted(number: int, noun: str) -> str:
    """Return `1 pod` or `1,204 pods`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def listed(items: Sequence[str], limit: int = 3) -> str:
    """Return `a, b and c`, or `a, b and 12 more` where there are more than the limit."""
    if len(items) > limit:
        return _(
            "{names} and {count:,} more",
            names=_(", ").join(items[: limit - 1]),
            count=len(items) - limit + 1,
        )
    if len(items) < _PAIR:
        return "".join(items)
    return _("{names} and {last}", names=_(", ").join(items[:-1]), last=items[-1])


def shortened(text: str) -> str:
    """Return a text of a bundle on one line, cut where it is longer than a message can bear."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"

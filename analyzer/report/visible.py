"""Text from a stranger's cluster, made safe to look at in a terminal or a page."""

from __future__ import annotations

import re
import unicodedata

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls, ESC and CSI among them
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, joiners
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line ends, bidirectional controls
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"  # blanks, variation selectors, specials
    "\ud800-\udfff"  # lone surrogates: bytes that were no UTF-8
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # invisible music signs, tags
    "]"
)
"""Characters that a reader cannot see, or that change how others are seen."""


def visible(text: str) -> str:
    r"""Return the text with every hidden or controlling character as an escape: `\x1b`, `\u202e`.

    What is returned has no line end, moves no cursor, and can be encoded as UTF-8.
    """
    return HIDDEN.sub(lambda found: spell(found[0]), text)


def spell(character: str) -> str:
    r"""Return one character as Python would escape it: `\n`, `\x1b`, `\u202e`, `\U000e0001`."""
    number = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if number <= 0xFF:  # noqa: PLR2004 - two digits
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004


def cells(text: str) -> int:
    """Return how many terminal columns visible text takes: wide East Asian characters take two."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

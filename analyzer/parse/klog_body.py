"""What stands after the head of a klog entry: a plain text, or a quoted message with `key=value` pairs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from analyzer.parse.fast_path import pattern_of, terminal_pattern
from analyzer.parse.go_quote import unquote
from analyzer.parse.grammar import load_grammar

_REMEMBERED = 20_000
"""Bodies kept for when they come again, as most do."""


@dataclass(frozen=True, slots=True)
class Body:
    """A klog body, taken apart."""

    message: str
    values: dict[str, str]
    structured: bool = False
    """True where the message is quoted, with or without pairs after it (InfoS, ErrorS)."""


class BodyReader:
    """Takes bodies apart; the same body, which comes again and again in a log, once."""

    def __init__(self) -> None:
        self._quoted = terminal_pattern(load_grammar("klog"), "QUOTED").match
        self._known: dict[str, Body] = {}

    def read(self, body: str) -> Body:
        """Return message and values of a body that begins with a quote."""
        known = self._known.get(body)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[body] = self._read(body)
        return known

    def _read(self, body: str) -> Body:
        quoted = self._quoted(body)
        if quoted is None:
            return Body(body, {})
        values, rest = read_fields(body, quoted.end())
        if rest and not values:
            return Body(body, {})
        return Body(unquote(quoted[0]), values, structured=True)


def read_fields(text: str, start: int = 0) -> tuple[dict[str, str], str]:
    """Return the ` key=value` pairs of a text and what follows them, which also ends the last value.

    A key that comes twice keeps its last value.
    """
    values: dict[str, str] = {}
    match = _pair().match
    key = ""
    while pair := match(text, start):
        start = pair.end()
        key = pair["KEY"].lstrip(" ")[:-1]
        values[key] = _value(pair)
    rest = text[start:]
    if rest and values:
        values[key] += rest
    return values, rest


@cache
def _pair() -> re.Pattern[str]:
    return pattern_of(load_grammar("klog"), "pair")


def _value(pair: re.Match[str]) -> str:
    match pair.lastgroup:
        case "STRING" | "STRING_OPEN" as name:
            return unquote(pair[name])
        case "BLOCK":
            return _unindent(pair["BLOCK"][1:-2])
        case "BLOCK_OPEN":
            return _unindent(pair["BLOCK_OPEN"][1:])
        case "BARE":
            return pair["BARE"]
    return ""


def _unindent(block: str) -> str:
    """Return the lines of a block without the tab that klog puts in front of each."""
    return "\n".join(line.removeprefix("\t") for line in block[1:].split("\n")).removesuffix("\n")

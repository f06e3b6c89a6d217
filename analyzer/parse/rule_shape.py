"""A rule's shape and values from its parse tree; no tree goes further than this package."""

from __future__ import annotations

import re

from lark import Token, Tree

from analyzer.model.ruleset import MatchShape, OptionShape, Shape, TargetShape
from analyzer.parse.iptables_line import Counters, RuleLine, Slot, counters_of


def rule_line(tree: Tree[Token], text: str) -> RuleLine:
    """Return the rule of a tree of `rule` or `inserted_rule`; `text` is its line."""
    chain, number = tokens(tree, "NAME")[0], tokens(tree, "NUMBER")
    parts = _Parts(chain)
    for child in tree.children:
        if isinstance(child, Tree):
            parts.add(child)
    counters = tokens(tree, "COUNTERS")
    inserted = tree.data == "inserted_rule"
    table = table_of(tree)
    plain = not inserted and table is None and not parts.has_counters
    return RuleLine(
        shape=parts.shape(text, (number or [chain])[0].end_pos),
        values=tuple(str(token) for token in parts.values),
        counters=counters_of(counters[0]) if counters else parts.counters,
        table=table,
        position=int(number[0]) if number else 1 if inserted else None,
        slots=tuple(slot(token) for token in (*counters, *parts.values)) if plain else (),
    )


def tokens(tree: Tree[Token], terminal: str) -> list[Token]:
    """Return the tree's own tokens of one terminal."""
    return [child for child in tree.children if isinstance(child, Token) and child.type == terminal]


def table_of(tree: Tree[Token]) -> str | None:
    """Return the table that a line names by `-t`, or None."""
    for child in tree.children:
        if isinstance(child, Tree) and child.data == "in_table":
            return str(tokens(child, "NAME")[0])
    return None


def slot(token: Token) -> Slot:
    """Return where in its line a token stands."""
    return Slot(token.type, token.start_pos or 0, token.end_pos or 0)


class _Parts:
    """The parts of a rule, collected from left to right."""

    def __init__(self, chain: Token) -> None:
        self.values = [chain]
        self.counters: Counters | None = None
        self.has_counters = False
        self._own: list[OptionShape] = []
        self._matches: list[tuple[str, list[OptionShape]]] = []
        self._target: tuple[bool, int, list[OptionShape]] | None = None
        self._options: list[OptionShape] = []
        self._extension = self._own

    def add(self, part: Tree[Token]) -> None:
        """Take the next `match`, `target`, `option` or `own_option`."""
        match part.data:
            case "match":
                self._extension = []
                self._matches.append((str(tokens(part, "MATCH_NAME")[0]), self._extension))
            case "target":
                self._extension = []
                goto = bool(tokens(part, "GOTO_FLAG"))
                self._target = (goto, len(self.values), self._extension)
                self.values += tokens(part, "NAME")
            case "option":
                self._extension.append(self._option(part))
            case "own_option":
                self._own.append(self._option(part))

    def _option(self, part: Tree[Token]) -> OptionShape:
        flag = tokens(part, "OPTION") or tokens(part, "STRING_OPTION") or tokens(part, "OWN_OPTION")
        values = tokens(part, "STRING") + tokens(part, "VALUE")
        first = len(self.values)
        self.values += values
        option = OptionShape(
            flag=str(flag[0]),
            negated=bool(tokens(part, "NOT") or tokens(part, "NOT_OLD")),
            slots=tuple(range(first, len(self.values))),
        )
        if option.flag in {"-c", "--set-counters"}:
            self.counters, self.has_counters = _counters(values), True
        self._options.append(option)
        return option

    def shape(self, text: str, head_end: int | None) -> Shape:
        """Return the shape; whatever the line was introduced by, up to `head_end`, is printed as `-A CHAIN`."""
        ends = [head_end, *(token.end_pos for token in self.values[1:])]
        starts = [*(token.start_pos for token in self.values[1:]), len(text)]
        matches = [("", self._own), *self._matches] if self._own else self._matches
        slot_of: dict[str, int] = {}
        for option in self._options:
            if option.slots:
                slot_of.setdefault(option.flag, option.slots[0])
        return Shape(
            literals=("-A ", *(text[a:b] for a, b in zip(ends, starts, strict=True))),
            matches=tuple(MatchShape(name, tuple(options)) for name, options in matches),
            target=self._target_shape(),
            slot_of=slot_of,
            flags=frozenset(f"! {o.flag}" if o.negated else o.flag for o in self._options),
        )

    def _target_shape(self) -> TargetShape | None:
        if self._target is None:
            return None
        goto, position, options = self._target
        return TargetShape(goto, position, tuple(options))


def _counters(values: list[Token]) -> Counters | None:
    """Return the numbers of `-c PACKETS BYTES`, or None where they are none."""
    text = ":".join(values)
    return counters_of(f"[{text}]") if re.fullmatch(r"[0-9]{1,20}:[0-9]{1,20}", text) else None

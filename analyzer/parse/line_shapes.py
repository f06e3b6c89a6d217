"""Lines of a known shape, read without the grammar by a matcher that is derived from it.

A dump of 400,000 rules has some ten shapes. The grammar reads the first lines of each; from the place of the values
in such a line and the grammar's own terminals a regular expression is made, whose groups are the values. A line that
it matches is a line that the grammar would read in the same way: the text between the values is the same, and each
value is what the same terminal takes at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from analyzer.model.ruleset import Shape
from analyzer.parse.iptables_grammar import LONGEST_LINE, parse_line, terminal
from analyzer.parse.iptables_line import ChainLine, Line, RuleLine, Slot

MOST_REMEMBERED = 4096
"""Shapes whose text is remembered; a flood of different ones starts anew."""

MOST_TRIED = 64
"""Shapes that a line is compared with before the grammar is asked, the ones last seen first."""

MOST_VALUES = 64
"""Values of a line that gets a matcher; one with more will not come twice."""

Matcher = Callable[[str], re.Match[str] | None]


@dataclass(slots=True, eq=False)
class LineShape:
    """Lines that differ only in values: rules of one shape, or chain declarations."""

    rule: Shape | None
    """The shape of the rules, None for chain declarations."""

    counted: bool
    """True where the first value is the counters of a rule."""

    match: Matcher = field(default=lambda _: None)
    """Matches a line of this shape, however long, with its values as groups; nothing for one that was seen once."""

    next: LineShape = field(init=False)
    """The shape of the line that followed a line of this one last time; a guess."""

    other: LineShape = field(init=False)
    """The shape that followed before, when it was another one; the next guess."""

    def __post_init__(self) -> None:
        self.next = self.other = self


class LineShapes:
    """The shapes seen so far."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], LineShape] = {}
        self._tried: list[LineShape] = []

    def find(self, line: str, last: LineShape) -> tuple[LineShape, re.Match[str]] | None:
        """Return the known shape of a line and its match, or None where the grammar has to be asked.

        `last`: the shape of the line before, which learns what follows it.
        """
        if len(line) > LONGEST_LINE:
            return None
        match = last.other.match(line)
        if match is not None:
            last.next, last.other = last.other, last.next
            return last.next, match
        for place, shape in enumerate(self._tried):
            match = shape.match(line)
            if match is not None:
                last.next, last.other = shape, last.next
                self._tried.insert(0, self._tried.pop(place))
                return shape, match
        return None

    def read(self, line: str) -> Line:
        """Read a line by the grammar, and know its shape from the second time on."""
        record = parse_line(line)
        if isinstance(record, RuleLine | ChainLine) and 0 < len(record.slots) <= MOST_VALUES:
            return self._remember(line, record)
        return record

    def _remember(self, line: str, record: RuleLine | ChainLine) -> Line:
        literals = _literals(line, record.slots)
        rule = record.shape if isinstance(record, RuleLine) else None
        known = self._known.get(literals)
        if known is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            counted = rule is not None and record.slots[0].terminal == "COUNTERS"
            self._known[literals] = LineShape(rule, counted)
            return record
        if known not in self._tried:
            known.match = _matcher(literals, record.slots)
            self._tried.insert(0, known)
            del self._tried[MOST_TRIED:]
        if isinstance(record, RuleLine) and known.rule is not None:
            return replace(record, shape=known.rule)
        return record


def _literals(line: str, slots: Sequence[Slot]) -> tuple[str, ...]:
    """Return the text before, between and after the values."""
    between = (line[a.end : b.start] for a, b in pairwise(slots))
    return (line[: slots[0].start], *between, line[slots[-1].end :])


def _matcher(literals: tuple[str, ...], slots: Sequence[Slot]) -> Matcher:
    """Return what matches a line of these literals; a value is atomic, as it is for the grammar's lexer."""
    pattern = re.escape(literals[0])
    for slot, (before, after) in zip(slots, pairwise(literals), strict=True):
        # After `!` the grammar takes what begins with a dash for an option (NOT_OLD), not for a value.
        dash = "(?!-)" if before.rstrip().endswith(" !") else ""
        pattern += f"({dash}(?>{terminal(slot.terminal)}))" + re.escape(after)
    return re.compile(pattern).fullmatch

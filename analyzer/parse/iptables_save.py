"""Text of iptables-save, ip6tables-save and `iptables -S` to rulesets.

A ruleset prints itself back (`print_ruleset`) with the same rules in the same order, byte for byte, but for:

* line ends, byte order mark, NUL bytes and terminal escapes; blanks at both ends of a line; empty lines;
* comments (the header and footer with the date among them), prompts and other noise;
* chain declarations stand before the rules of their table, and one blank between the words of a declaration and
  between counters and rule;
* `-P` and `-N` are printed as declarations, `-I` as `-A` at the place that it names, `-t nat -A` within its table,
  long forms of these as the short ones.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from analyzer.model.ruleset import Chain, Family, Rule, Ruleset
from analyzer.parse.iptables_grammar import LONGEST_LINE
from analyzer.parse.iptables_line import counters_of, policy_of
from analyzer.parse.line_shapes import LineShape, LineShapes
from analyzer.parse.ruleset_builder import RulesetBuilder
from analyzer.parse.table_content import Chains, declare_chain, rules_of

_TERMINAL_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b\n]*+(?:\x07|\x1b\\)|[@-Z\\^_=>])"
)
"""Control sequences, window titles and two-character escapes (ECMA-48)."""


@dataclass(slots=True)
class KnownLines:
    """What lines say that were read before. Nodes of one cluster have most of them in common."""

    rules: dict[str, Rule] = field(default_factory=dict)
    chains: dict[str, Chain] = field(default_factory=dict)
    """Without rules."""

    def add_rule(self, line: str, rule: Rule) -> None:
        """Remember a rule, if there is room."""
        if len(self.rules) < _MOST_KNOWN:
            self.rules[line] = rule

    def add_chain(self, line: str, chain: Chain) -> None:
        """Remember the declaration of a chain, if there is room."""
        if len(self.chains) < _MOST_KNOWN:
            self.chains[line] = Chain(chain.name, chain.line, chain.policy, chain.counters)


_BLOCK = 1 << 18
"""Characters that are parted into lines at once."""

_MOST_KNOWN = 1 << 17
"""Rules and chains that are remembered: some 90 and 30 MB."""


def parse_iptables_save(
    path: str, text: str, family: Family, known: KnownLines | None = None
) -> tuple[Ruleset, ...]:
    """Return all dumps in a file, oldest first; a file without any gives one empty ruleset. Never raises.

    What was read in other files is in `known` and not read once more; None for a file that is alone. `family` holds
    where no header says otherwise. A new dump begins where a table comes again or the header names
    another generator. Lines are separated by LF, CR LF or CR.
    """
    text = _cleaned(text)
    end = text.rfind("\n") + 1
    count, rest = text.count("\n"), text[end:]
    builder = RulesetBuilder(path, family)
    with _without_garbage_collection():
        _read(_lines(text, end), 1, builder, known)
    cut = builder.unfinished and rest.strip() not in {"", "COMMIT"}
    if not cut:
        _read([rest], count + 1, builder, None)
    last = rest or text[text.rfind("\n", 0, max(end - 1, 0)) + 1 : end].rstrip("\n")
    return builder.finish(count + bool(rest), last, cut=cut)


def _cleaned(text: str) -> str:
    """Return the text without what no line of iptables-save holds; lines end with LF."""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text:
        text = _TERMINAL_ESCAPE.sub("", text)
    return text.lstrip("\ufeff\ufffd")


def _lines(text: str, end: int) -> Iterator[str]:
    """Yield the lines up to the end of one: they are let go of soon, and take memory for a few at a time only."""
    start = 0
    while start < end:
        stop = text.rfind("\n", start, start + _BLOCK) + 1 or text.find("\n", start) + 1
        yield from text[start : stop - 1].split("\n")
        start = stop


def _read(
    lines: Iterable[str], first: int, builder: RulesetBuilder, known: KnownLines | None
) -> None:
    """Give each line to the builder, read by the shape that came after the last line's shape last time."""
    shapes = _shapes()
    last = LineShape(None, counted=False)
    chains, name, rules = builder.chains, "", list[Rule]()
    known_rules, known_chains = (known.rules, known.chains) if known is not None else ({}, {})
    for number, line in enumerate(lines, first):
        if (same := known_rules.get(line)) is not None:
            rule = Rule(same.shape, same.values, number, same.counters)
        elif line in known_chains:
            declared = known_chains[line]
            chain = Chain(declared.name, number, declared.policy, declared.counters)
            declare_chain(chains, chain)
            continue
        else:
            shape = last.next
            match = shape.match(line)
            if match is None or len(line) > LONGEST_LINE:
                found = shapes.find(line.strip(), last)
                if found is None:
                    _take(shapes, builder, number, line)
                    chains, name = builder.chains, ""
                    continue
                shape, match = found
            last = shape
            values = match.groups()
            if shape.rule is None:
                chain = Chain(values[0], number, policy_of(values[1]), counters_of(values[2]))
                _declare(chains, chain, line, known)
                continue
            counters = None
            if shape.counted:
                counters, values = counters_of(values[0]), values[1:]
            rule = Rule(shape.rule, values, number, counters)
            if known is not None:
                known.add_rule(line, rule)
        if rule.values[0] != name:
            name = rule.values[0]
            rules = rules_of(chains, name)
        rules.append(rule)


def _declare(chains: Chains, chain: Chain, line: str, known: KnownLines | None) -> None:
    declare_chain(chains, chain)
    if known is not None:
        known.add_chain(line, chain)


def _take(shapes: LineShapes, builder: RulesetBuilder, number: int, line: str) -> None:
    """Have a line of an unknown shape read by the grammar; an empty one says nothing."""
    text = line.strip()
    if text:
        builder.take(shapes.read(text), number, line)


@cache
def _shapes() -> LineShapes:
    return LineShapes()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Keep the collector from walking a growing ruleset again and again; nothing that is made here is cyclic."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

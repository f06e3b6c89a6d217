"""A ruleset as iptables-save prints it: tables of chains of rules, each rule with its line.

A rule is its *shape* (all that is spelled the same in thousands of rules) and the values in the shape's
slots, so that 400,000 rules cost little more than their values. Words are netfilter's: a rule has
*matches* (`-m tcp --dport 80`) and at most one *target* (`-j DNAT --to-destination …`, or a goto `-g`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from operator import itemgetter

from msgspec import Struct

from analyzer.model.source import ParseProblem, SourceRef


class Family(Enum):
    """IP version of a ruleset."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    IPV4 = "IPv4"
    IPV6 = "IPv6"


IPTABLES_TABLES = frozenset(
    (family, table)
    for family in ("ip", "ip6")
    for table in ("raw", "mangle", "nat", "filter", "security")
)
"""The tables of nftables, as (family, name), that iptables-nft keeps and iptables-save shows."""


class Backend(Enum):
    """Which kernel interface a ruleset was read from, by the header of iptables-save."""

    LEGACY = "legacy"
    NFT = "nft"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OptionShape:
    """One option of a match or target, without its values."""

    flag: str
    """The long or short form as printed: `-s`, `--dport`, `--to-destination`."""

    negated: bool
    """True where `!` stands before the option."""

    slots: tuple[int, ...]
    """Positions of its values in `Rule.values`; empty for a flag such as `--rsource`."""


@dataclass(frozen=True, slots=True)
class MatchShape:
    """One `-m NAME` with its options; the options that stand before any `-m` form the match named ``."""

    name: str
    options: tuple[OptionShape, ...]


@dataclass(frozen=True, slots=True)
class TargetShape:
    """`-j` or `-g` with the options of the target extension."""

    goto: bool
    slot: int
    """Position of the target's name in `Rule.values`."""

    options: tuple[OptionShape, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What the grammar found in one rule and all rules that differ from it in values only."""

    literals: tuple[str, ...]
    """The text before, between and after the values: `len(values) + 1` pieces."""

    matches: tuple[MatchShape, ...]
    target: TargetShape | None
    slot_of: dict[str, int]
    """First slot of the first option of that spelling (`--dport`, `-d`); options without value are absent."""

    flags: frozenset[str]
    """Every option that occurs, with `! ` before the negated ones."""


class Option(Struct, frozen=True):
    """One option of a rule with its values, unquoted."""

    flag: str
    negated: bool
    values: tuple[str, ...]


class Match(Struct, frozen=True):
    """One match of a rule; name `` holds the options of the rule itself (`-s -d -i -o -p -f`)."""

    name: str
    options: tuple[Option, ...]

    def option(self, flag: str) -> Option | None:
        """Return the first option of that spelling, or None."""
        return next((o for o in self.options if o.flag == flag), None)


class Rule(Struct, eq=False, gc=False):
    """One `-A` line. Made in bulk: treat as frozen."""

    shape: Shape
    values: tuple[str, ...]
    """The text in the shape's slots as printed, quotes and escapes included; the first is the chain."""

    line: int
    """Line number from 1 in the file of its ruleset."""

    counters: tuple[int, int] | None
    """Packets and bytes of `[p:b]`, or None where the save has none."""

    @property
    def chain(self) -> str:
        """Name of the chain that the rule belongs to."""
        return self.values[0]

    @property
    def target(self) -> str | None:
        """Name after `-j` or `-g`, or None for a rule that only counts."""
        shape = self.shape.target
        return None if shape is None else self.values[shape.slot]

    @property
    def goto(self) -> bool:
        """True where the target is reached by `-g`: its RETURN goes to the caller's caller."""
        return self.shape.target is not None and self.shape.target.goto

    @property
    def text(self) -> str:
        """The rule as iptables-save prints it, without counters."""
        literals = self.shape.literals
        pieces = [literals[0]]
        for literal, value in zip(literals[1:], self.values, strict=True):
            pieces.append(value)
            pieces.append(literal)
        return "".join(pieces)

    def has(self, flag: str) -> bool:
        """Tell whether the option occurs; a negated one is written `! --flag`."""
        return flag in self.shape.flags

    def value(self, flag: str) -> str | None:
        """Return the (unquoted) first value of the first option of that spelling, or None."""
        slot = self.shape.slot_of.get(flag)
        return None if slot is None else unquote(self.values[slot])

    @property
    def comment(self) -> str:
        """Text of the first `--comment`, unquoted; empty where there is none."""
        return self.value("--comment") or ""

    @property
    def matches(self) -> tuple[Match, ...]:
        """All matches with their options and unquoted values, in printed order."""
        return tuple([Match(m.name, self._options(m.options)) for m in self.shape.matches])

    @property
    def target_options(self) -> tuple[Option, ...]:
        """Options of the target extension, in printed order."""
        return () if self.shape.target is None else self._options(self.shape.target.options)

    def _options(self, shapes: tuple[OptionShape, ...]) -> tuple[Option, ...]:
        values = self.values
        return tuple(
            [
                Option(o.flag, o.negated, tuple([unquote(values[slot]) for slot in o.slots]))
                for o in shapes
            ]
        )


def unquote(text: str) -> str:
    r"""Return a value without its quotes and backslashes: `"a \"b\""` is `a "b"`; a shell's `'a "b"'` too."""
    if text[:1] not in {'"', "'"}:
        return text
    body = text[1:-1]
    if text[0] == "'":
        return body if text[-1] == "'" and len(text) > 1 else text
    if "\\" not in body:
        return body
    pieces: list[str] = []
    characters = iter(body)
    for character in characters:
        pieces.append(next(characters, "") if character == "\\" else character)  # noqa: PERF401 - it consumes two
    return "".join(pieces)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a line of iptables-save, unquoted: as iptables would be given them."""
    return tuple(unquote(word) for word in _WORD.findall(text))


_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


class Chain(Struct):
    """A chain with its rules in order."""

    name: str
    line: int
    """Line of its declaration, or 0 where only rules of it were seen."""

    policy: str | None
    """`ACCEPT` or `DROP` for a built-in chain, None for a user-defined one (`-`)."""

    counters: tuple[int, int] | None
    rules: list[Rule] = []  # a struct copies it


@dataclass(slots=True)
class Table:
    """A table (`filter`, `nat`, `mangle`, `raw`, `security`) with its chains by name."""

    name: str
    """Empty where the save does not name it (excerpts, `iptables -S`)."""

    line: int
    complete: bool
    """True when its `COMMIT` was seen."""

    chains: dict[str, Chain] = field(default_factory=dict)

    def rules(self) -> Iterator[Rule]:
        """Yield the rules of all chains."""
        for chain in self.chains.values():
            yield from chain.rules


@dataclass(slots=True)
class Ruleset:
    """One dump of one backend: what a single run of iptables-save printed."""

    path: str
    family: Family
    backend: Backend
    generator: str
    """Program and version of the header, such as `iptables-save v1.8.9`; empty where there is none."""

    tables: dict[str, Table] = field(default_factory=dict)
    problems: list[ParseProblem] = field(default_factory=list)
    warnings: list[SourceRef] = field(default_factory=list)
    """Lines in which iptables itself says that something is not shown here (`# Warning: iptables-legacy …`)."""

    def ref(self, item: Rule | Chain | Table) -> SourceRef:
        """Return the file and line of a rule, chain declaration or table header."""
        return SourceRef(self.path, item.line or 1)

    def chain(self, table: str, name: str) -> Chain | None:
        """Return a chain, or None where the table or the chain is absent."""
        found = self.tables.get(table)
        return None if found is None else found.chains.get(name)

    def rules(self, table: str, chain: str) -> list[Rule]:
        """Return the rules of a chain; empty where there is no such chain."""
        found = self.chain(table, chain)
        return [] if found is None else found.rules

    @property
    def complete(self) -> bool:
        """True when every table was committed and no line was lost."""
        return not self.problems and all(t.complete for t in self.tables.values())

    @property
    def empty(self) -> bool:
        """True when no table has a rule or a user-defined chain."""
        return all(
            chain.policy is not None and not chain.rules
            for table in self.tables.values()
            for chain in table.chains.values()
        )


def print_ruleset(ruleset: Ruleset) -> str:
    """Return a ruleset as iptables-save prints it, with counters where it has them, but without comments."""
    return "".join(f"{line}\n" for table in ruleset.tables.values() for line in _lines(table))


def _lines(table: Table) -> Iterator[str]:
    if table.name:
        yield f"*{table.name}"
    for chain in table.chains.values():
        if chain.line:
            yield f":{chain.name} {chain.policy or '-'}" + _counters(" [{}:{}]", chain.counters)
    for rule in _in_order(table):
        counted = rule.has("-c") or rule.has("--set-counters")
        yield _counters("[{}:{}] ", None if counted else rule.counters) + rule.text
    if table.complete:
        yield "COMMIT"


def _in_order(table: Table) -> list[Rule]:
    """Return the rules of all chains by line, without changing their order within a chain."""
    lines = [
        (line, rule)
        for chain in table.chains.values()
        for line, rule in zip(
            accumulate((rule.line for rule in chain.rules), max), chain.rules, strict=True
        )
    ]
    return [rule for _, rule in sorted(lines, key=itemgetter(0))]


def _counters(form: str, counters: tuple[int, int] | None) -> str:
    return "" if counters is None else form.format(*counters)

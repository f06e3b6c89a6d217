"""A dump made ready to be executed: tables and chains whose rules are compiled when they are first reached."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from analyzer.model.ruleset import Chain, Rule, Ruleset, Table
from analyzer.model.source import ParseProblem, SourceRef
from analyzer.simulate.chain_index import ChainIndex
from analyzer.simulate.machine import Machine
from analyzer.simulate.packet import Packet
from analyzer.simulate.rule import CompiledRule, compile_rule, lost_rule
from analyzer.simulate.translation import translation_of

_INDEXED_FROM = 16
"""Chains with fewer rules are simply read from top to bottom."""

_APPENDED = re.compile(r"-A\s+(\S+)", re.ASCII)


class Program:
    """All tables of one dump."""

    def __init__(self, ruleset: Ruleset, machine: Machine) -> None:
        self.path = ruleset.path
        self.cut = any(not t.complete for t in ruleset.tables.values()) or any(
            p.truncation for p in ruleset.problems
        )
        """True where the dump ends early: a table that is not in it may have been lost."""

        self._tables = {
            name: CompiledTable(table, ruleset, machine) for name, table in ruleset.tables.items()
        }

    def table(self, name: str) -> CompiledTable | None:
        """Return a table, or None where the dump has none of that name."""
        return self._tables.get(name)

    def passes_all(self, name: str, hook: str) -> bool:
        """Tell whether a table plainly lets everything pass at a hook: it has no rule there, and no other policy."""
        table = self._tables.get(name)
        if table is None:
            return not self.cut
        chain = table.chain(hook)
        if chain is None:
            return True
        return not chain.positions and not chain.may_go_on and chain.policy in {None, "ACCEPT"}


class CompiledTable:
    """A table with its chains."""

    def __init__(self, table: Table, ruleset: Ruleset, machine: Machine) -> None:
        self.name = table.name
        self.path = ruleset.path
        self._table = table
        self._machine = machine
        self._chains: dict[str, CompiledChain] = {}
        self._lost = _lost_lines(table, ruleset)

    def chain(self, name: str) -> CompiledChain | None:
        """Return a chain, or None where there is none of that name."""
        if name not in self._chains:
            chain = self._table.chains.get(name)
            if chain is None:
                return None
            self._chains[name] = CompiledChain(self, chain, self._lost.get(name, ()))
        return self._chains[name]

    def compile(self, entry: Rule | ParseProblem) -> CompiledRule:
        """Return a rule ready to be executed."""
        if isinstance(entry, ParseProblem):
            return lost_rule(entry)
        source = SourceRef(self.path, max(entry.line, 1))
        return compile_rule(entry, source, self._machine, self._table.chains)

    def shows_on_list(self, names: frozenset[str], packet: Packet) -> bool:
        """Tell whether conntrack shows that a client went by a rule that puts it on a list of `-m recent`."""
        before = self._machine.sent_before.get(packet.flow.source)
        return before is not None and any(
            not before.isdisjoint(self._ends_of_lists.get(name, ())) for name in names
        )

    @cached_property
    def _ends_of_lists(self) -> dict[str, frozenset[tuple[int, int]]]:
        """By list of `-m recent`: where the rules that fill it send their clients."""
        found: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for rule in self._table.rules():
            if "--set" not in rule.shape.flags or rule.target != "DNAT":
                continue
            wanted = translation_of("DNAT", rule.target_options)
            if wanted is None or wanted.low is None or wanted.ports is None:
                continue
            found[rule.value("--name") or "DEFAULT"].add((wanted.low, wanted.ports.low))
        return {name: frozenset(ends) for name, ends in found.items()}

    def may_go_on(self, chain: Chain) -> bool:
        """Tell whether rules of a chain may have been lost because the dump was cut off."""
        if self._table.complete:
            return False
        return not chain.rules or chain.rules[-1].line == self._last_line

    @cached_property
    def _last_line(self) -> int:
        return max((rule.line for rule in self._table.rules()), default=0)


class CompiledChain:
    """A chain whose rules are compiled on first use, with an index where it is long."""

    def __init__(self, table: CompiledTable, chain: Chain, lost: Sequence[ParseProblem]) -> None:
        self.name = chain.name
        self.policy = chain.policy
        self.source = SourceRef(table.path, max(chain.line, 1))
        self.may_go_on = table.may_go_on(chain)
        """True where the dump was cut off and further rules may have been lost."""

        self._table = table
        self._entries = _in_order(chain.rules, lost)
        self._compiled: dict[int, CompiledRule] = {}
        self.positions: Sequence[int] = range(len(self._entries))
        """Positions of all rules."""

    def rule(self, position: int) -> CompiledRule:
        """Return the rule at a position, compiled."""
        found = self._compiled.get(position)
        if found is None:
            found = self._table.compile(self._entries[position])
            self._compiled[position] = found
        return found

    def candidates(self, packet: Packet) -> Sequence[int]:
        """Return the positions, ascending, of all rules that may match a packet: a superset of those that do."""
        if len(self._entries) < _INDEXED_FROM:
            return self.positions
        return self._index.candidates(packet)

    @cached_property
    def _index(self) -> ChainIndex:
        return ChainIndex(self._entries)


def _in_order(rules: list[Rule], lost: Sequence[ParseProblem]) -> Sequence[Rule | ParseProblem]:
    read = {rule.line for rule in rules}
    missing = [problem for problem in lost if problem.line not in read]
    return sorted([*rules, *missing], key=lambda entry: entry.line) if missing else rules


def _lost_lines(table: Table, ruleset: Ruleset) -> dict[str, list[ParseProblem]]:
    later = (t.line for t in ruleset.tables.values() if t.line > table.line)
    end = min(later, default=1 << 62)
    lost: dict[str, list[ParseProblem]] = defaultdict(list)
    for problem in ruleset.problems:
        found = _APPENDED.search(problem.text)
        if found is not None and table.line <= problem.line < end:
            lost[found[1]].append(problem)
    return lost

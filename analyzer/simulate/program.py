"""A dump of iptables made ready to be executed: rules are compiled when a packet first reaches their chain."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from analyzer.model.ruleset import Chain, Rule, Ruleset, Table
from analyzer.model.source import ParseProblem, SourceRef
from analyzer.simulate.chain_index import ChainIndex
from analyzer.simulate.machine import Machine
from analyzer.simulate.naming import Naming, named_by_rules
from analyzer.simulate.packet import Hook, Packet
from analyzer.simulate.rule import CompiledRule, compile_rule, lost_rule
from analyzer.simulate.table import BaseChain
from analyzer.simulate.translation import translation_of

RAW, CONNTRACK, MANGLE, NAT_DESTINATION, FILTER, SECURITY, NAT_SOURCE = (
    -300,
    -200,
    -150,
    -100,
    0,
    50,
    100,
)
"""Priorities of the tables, and of conntrack between them (`enum nf_ip_hook_priorities`)."""

_TABLES: Mapping[Hook, Mapping[str, int]] = {
    Hook.PREROUTING: {"raw": RAW, "mangle": MANGLE, "nat": NAT_DESTINATION},
    Hook.INPUT: {"mangle": MANGLE, "filter": FILTER, "security": SECURITY, "nat": NAT_SOURCE},
    Hook.FORWARD: {"mangle": MANGLE, "filter": FILTER, "security": SECURITY},
    Hook.OUTPUT: {
        "raw": RAW,
        "mangle": MANGLE,
        "nat": NAT_DESTINATION,
        "filter": FILTER,
        "security": SECURITY,
    },
    Hook.POSTROUTING: {"mangle": MANGLE, "nat": NAT_SOURCE},
}
_INDEXED_FROM = 16
"""Chains with fewer rules are simply read from top to bottom."""

_APPENDED = re.compile(r"-A\s+(\S+)", re.ASCII)


class Program:
    """All tables of one dump."""

    def __init__(self, ruleset: Ruleset, machine: Machine) -> None:
        self._path = ruleset.path
        self._cut = any(not t.complete for t in ruleset.tables.values()) or any(
            p.truncation for p in ruleset.problems
        )
        self._tables = {
            name: CompiledTable(table, ruleset, machine) for name, table in ruleset.tables.items()
        }

    def base_chains(self, hook: Hook) -> list[BaseChain]:
        """Return what hangs on a hook; a table that a cut dump may have lost is there without content."""
        return [
            BaseChain(
                priority,
                name == "nat",
                self._tables.get(name),
                hook.value,
                self._path,
                reroutes=name == "mangle" and hook is Hook.OUTPUT,
            )
            for name, priority in _TABLES[hook].items()
            if name in self._tables or self._cut
        ]


class CompiledTable:
    """A table with its chains."""

    def __init__(self, table: Table, ruleset: Ruleset, machine: Machine) -> None:
        self.name = table.name
        self.path = ruleset.path
        self.sets = machine.host.sets
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
        self._table = table
        self._entries = _in_order(chain.rules, lost)
        self._compiled: dict[int, CompiledRule] = {}

    @property
    def empty(self) -> bool:
        """True where it has no rule."""
        return not self._entries

    @cached_property
    def naming(self) -> Naming:
        """The addresses that its rules name."""
        return named_by_rules(self._entries, self._table.sets)

    def candidates(self, packet: Packet, *, indexed: bool) -> Sequence[CompiledRule]:
        """Return the rules, in order, that may match a packet."""
        if not indexed or len(self._entries) < _INDEXED_FROM:
            return self._all
        return [self._rule(position) for position in self._index.candidates(packet)]

    def _rule(self, position: int) -> CompiledRule:
        found = self._compiled.get(position)
        if found is None:
            found = self._table.compile(self._entries[position])
            self._compiled[position] = found
        return found

    @cached_property
    def _all(self) -> tuple[CompiledRule, ...]:
        return tuple(self._rule(position) for position in range(len(self._entries)))

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

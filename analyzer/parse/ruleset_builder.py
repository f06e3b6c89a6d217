"""Rulesets from the lines of a file: to which dump and table each line belongs."""

from __future__ import annotations

from dataclasses import replace

from analyzer.language import _
from analyzer.model.ruleset import Backend, Chain, Family, Rule, Ruleset, Table
from analyzer.model.source import ParseProblem, SourceRef
from analyzer.parse.iptables_line import (
    ChainLine,
    Generated,
    Line,
    NotALine,
    Remark,
    RuleLine,
    TableLine,
)
from analyzer.parse.table_content import (
    Chains,
    declare_chain,
    insert_rule,
    remove_chains,
    rules_of,
)
from analyzer.parse.table_name import inferred_table

MOST_PROBLEMS = 1000
"""Problems that are listed of one dump; then one more says that there are others."""

LONGEST_QUOTE = 200
"""Characters of a line that a problem shows."""


class RulesetBuilder:
    """Takes the lines of a file one by one and sorts them into dumps.

    There is always a current table. Outside of `*table` and COMMIT it has no name: the chains and rules of an
    excerpt or of `iptables -S` gather in it until something else begins.
    """

    def __init__(self, path: str, family: Family) -> None:
        self._path = path
        self._family = family
        self._header: Generated | None = None
        self._described: Generated | None = None
        self._header_open = False
        self._listed = False
        self._warnings: list[SourceRef] = []
        self._rulesets: list[Ruleset] = []
        self._ruleset = self._begin_ruleset()
        self._table = Table("", 0, complete=False)

    @property
    def chains(self) -> Chains:
        """The chains of the current table."""
        return self._table.chains

    @property
    def unfinished(self) -> bool:
        """True where a table has begun, or at least its header, and no COMMIT came."""
        return self._header_open or bool(self._table.name)

    def take(self, line: Line, number: int, text: str) -> None:
        """Add what a line says; `number` and `text` are the line's."""
        match line:
            case RuleLine():
                self._rule(line, number)
            case ChainLine():
                self._chain(line, number)
            case TableLine():
                self._named_table(line.name, number, text)
            case Remark.COMMIT:
                self._commit(number, text)
            case Generated():
                self._generated(line, number, text)
            case Remark.WARNING:
                self._warnings.append(SourceRef(self._path, number))
            case NotALine():
                start = text.lstrip()
                rule = start.startswith(("-A", "-I", "["))
                column = line.column + len(text) - len(start)
                self._problem(
                    number,
                    column,
                    _("not a rule of iptables-save") if rule else _("not a line of iptables-save"),
                    line.expected,
                    text,
                )
            case Remark.IGNORED:
                pass
            case _:
                remove_chains(self._chains_of(line.table, number), line)

    def finish(self, number: int, text: str, *, cut: bool) -> tuple[Ruleset, ...]:
        """Return all dumps, oldest first; `cut` says that `text`, the last line, was not read."""
        if self.unfinished:
            where = _("table {table}", table=self._table.name) if self._table.name else _("a dump")
            message = _("the file ends within {where}", where=where) + (
                _(", within this line") if cut else ""
            )
            expected = _("the rest up to COMMIT")
            self._problem(number, len(text) + 1, message, expected, text, truncation=True)
            self._table = Table("", 0, complete=False)
        self._end_table(number, text)
        if self._described is None:
            self._describe(self._ruleset)
        self._ruleset.warnings += self._warnings
        return tuple(self._rulesets)

    def _rule(self, line: RuleLine, number: int) -> None:
        rule = Rule(line.shape, line.values, number, line.counters)
        chains = self._chains_of(line.table, number)
        if line.position is None:
            rules_of(chains, rule.chain).append(rule)
        else:
            insert_rule(chains, rule, line.position)

    def _chain(self, line: ChainLine, number: int) -> None:
        if line.listed and line.policy and self._past_policies():
            self._end_table(number, "")
        self._listed |= line.listed
        chains = self._chains_of(line.table, number)
        declare_chain(chains, Chain(line.name, number, line.policy, line.counters))

    def _past_policies(self) -> bool:
        """Tell whether `iptables -S` has listed more than policies, so that another one begins a new listing."""
        chains = () if self._table.name else self.chains.values()
        return any(chain.policy is None or chain.rules for chain in chains)

    def _chains_of(self, table: str | None, number: int) -> Chains:
        """Return the chains of the table that a line names by `-t`, or of the current table."""
        if table is None:
            return self.chains
        return self._ruleset.tables.setdefault(table, Table(table, number, complete=False)).chains

    def _named_table(self, name: str, number: int, text: str) -> None:
        self._end_table(number, text)
        if name in self._ruleset.tables or self._described not in {None, self._header}:
            self._ruleset = self._begin_ruleset()
        self._describe(self._ruleset)
        self._header_open = False
        self._table = self._ruleset.tables[name] = Table(name, number, complete=False)
        self._ruleset.warnings += self._warnings
        self._warnings = []

    def _commit(self, number: int, text: str) -> None:
        if self._table.name:
            self._table.complete = True
        else:
            message = _("the beginning of this table is missing")
            expected = _("its name, such as *nat, and its chains before")
            self._problem(number, 1, message, expected, text, truncation=True)
        self._end_table(number, text)

    def _generated(self, header: Generated, number: int, text: str) -> None:
        self._end_table(number, text)
        self._header = header
        self._header_open = True

    def _end_table(self, number: int, text: str) -> None:
        """Keep an unnamed table under the name that it probably has, and go on without a table."""
        table = self._table
        if table.name and not table.complete:
            message = _("table {table} has no COMMIT before this line", table=table.name)
            self._problem(number, 1, message, "COMMIT", text, truncation=True)
        elif not table.name and table.chains:
            table.name = inferred_table(table, listed=self._listed)
            first = next(iter(table.chains.values()))
            table.line = first.line or first.rules[0].line
            if table.name in self._ruleset.tables:
                self._ruleset = self._begin_ruleset()
            self._ruleset.tables[table.name] = table
        self._table = Table("", 0, complete=False)
        self._listed = False

    def _begin_ruleset(self) -> Ruleset:
        ruleset = Ruleset(self._path, self._family, Backend.UNKNOWN, "")
        self._rulesets.append(ruleset)
        self._describe(ruleset)
        return ruleset

    def _describe(self, ruleset: Ruleset) -> None:
        self._described = self._header
        if self._header is not None:
            ruleset.family = self._header.family or self._family
            ruleset.backend = self._header.backend
            ruleset.generator = self._header.generator

    def _problem(  # noqa: PLR0913 - the fields of a problem
        self,
        number: int,
        column: int,
        message: str,
        expected: str,
        text: str,
        *,
        truncation: bool = False,
    ) -> None:
        problems = self._ruleset.problems
        if len(problems) == MOST_PROBLEMS:
            message, expected = _("more problems, from here on, are not listed"), ""
        quote = text[:LONGEST_QUOTE]
        problem = ParseProblem(self._path, number, column, message, expected, quote, truncation)
        if len(problems) <= MOST_PROBLEMS:
            problems.append(problem)
        elif truncation:
            problems[-1] = replace(problems[-1], truncation=True)

"""A report for the terminal: the verdict, then causes, Services, what is missing, nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from analyzer.findings import Report
from analyzer.language import _, plural
from analyzer.model.verdict import Verdict
from analyzer.phrases import listed
from analyzer.report.cause_text import cause_lines, one_line
from analyzer.report.matrix_text import VERDICT_PAINT, legend_lines, matrix_lines
from analyzer.report.terminal import Paint, Terminal, pad
from analyzer.report.view import ReportView, view_of
from analyzer.report.view_causes import Cause
from analyzer.report.view_gaps import Gap
from analyzer.report.view_nodes import NodeRow
from analyzer.report.visible import cells, visible

_ROWS = 20
_GAPS = 8
_WIDEST_COLUMN = 40
_WIDEST = 120
"""Sentences longer than this are hard to read, however wide the terminal is."""


def render_text(report: Report, *, width: int, color: bool, verbose: bool = False) -> str:
    """Return the report for a terminal of so many columns.

    `color`: with escape sequences for colour; nothing is told by colour alone.
    `verbose`: nothing is folded or left out.
    """
    text = _Text(Terminal(width, color), view_of(report), verbose)
    sections = (
        text.verdict(),
        text.problems(),
        text.advice(),
        text.services(),
        text.gaps(),
        text.nodes(),
        text.bundle(),
    )
    return "\n\n".join(filter(None, ("\n".join(lines) for lines in sections))) + "\n"


@dataclass(frozen=True, slots=True)
class _Text:
    terminal: Terminal
    view: ReportView
    verbose: bool

    @property
    def prose(self) -> Terminal:
        """The terminal for sentences."""
        return replace(self.terminal, width=min(self.terminal.width, _WIDEST))

    def verdict(self) -> Iterator[str]:
        paint = VERDICT_PAINT[self.view.worst]
        for line in self.prose.wrap(visible(self.view.headline)):
            yield self.terminal.paint(line, paint)
        if len(self.view.problems) > 1:
            yield _(
                "{causes}, the gravest first:",
                causes=plural("{count:,} cause", "{count:,} causes", len(self.view.problems)),
            )

    def problems(self) -> Iterator[str]:
        yield from self._full(self.view.problems if self.verbose else self.view.leading)
        if self.view.further and not self.verbose:
            yield ""
            further = plural(
                "{count:,} further cause", "{count:,} further causes", len(self.view.further)
            )
            yield self._heading(_("{further} (in full with -v)", further=further))
            yield from self._brief(self.view.further)

    def advice(self) -> Iterator[str]:
        if self.view.advice:
            yield self._heading(_("Advice"))
        yield from (self._full if self.verbose else self._brief)(self.view.advice)

    def services(self) -> Iterator[str]:
        ill = [row for row in self.view.services if row.verdict is not Verdict.HEALTHY]
        healthy = len(self.view.services) - len(ill)
        if ill:
            yield self._heading(_("Services that are not healthy"))
            yield from matrix_lines(self.terminal, ill if self.verbose else ill[:_ROWS])
            if len(ill) > _ROWS and not self.verbose:
                yield _("  … and {value:,} more (-v lists them)", value=len(ill) - _ROWS)
            yield from legend_lines(self.prose)
        if healthy and ill:
            told = plural(
                "{count:,} Service is healthy.", "{count:,} Services are healthy.", healthy
            )
            yield self.terminal.paint(f"  {told}", Paint.GOOD)

    def gaps(self) -> Iterator[str]:
        if not self.view.gaps:
            return
        yield self._heading(_("Not evaluated, and the command that would tell"))
        for gap in self.view.gaps if self.verbose else self.view.gaps[:_GAPS]:
            yield from self._gap(gap)
        if len(self.view.gaps) > _GAPS and not self.verbose:
            yield _("  … and {value:,} more (-v lists them)", value=len(self.view.gaps) - _GAPS)

    def nodes(self) -> Iterator[str]:
        if not self.view.nodes:
            return
        yield self._heading(_("Nodes"))
        rows = [(_("node"), _("mode"), "kube-proxy", "iptables", _("rules"))]
        shown = self.view.nodes if self.verbose else self.view.nodes[:_ROWS]
        rows += [_node(node) for node in shown]
        widths = [
            min(max(cells(row[column]) for row in rows), _WIDEST_COLUMN)
            for column in range(len(rows[0]))
        ]
        for number, row in enumerate(rows):
            line = "  ".join(pad(text, size) for text, size in zip(row, widths, strict=True))
            yield "  " + (
                self.terminal.paint(line.rstrip(), Paint.FAINT) if not number else line.rstrip()
            )
        if len(self.view.nodes) > len(shown):
            yield _(
                "  … and {value:,} more (-v lists them)", value=len(self.view.nodes) - len(shown)
            )

    def bundle(self) -> Iterator[str]:
        yield self._heading(_("Bundle"))
        if self.verbose:
            for fact in self.view.facts:
                lead = f"  {pad(fact.label, 12)}"
                yield from self.terminal.wrap(visible(fact.value), lead, " " * 14)
            return
        name, *others = self.view.facts
        yield from self.terminal.wrap(visible(name.value), "  ")
        told = (_("{what}: {told}", what=fact.label, told=fact.value) for fact in others)
        yield from self.prose.wrap(visible(_("; ").join(told)), "  ")

    # --- parts ---

    def _heading(self, text: str) -> str:
        return self.terminal.paint(text, Paint.STRONG)

    def _full(self, causes: Sequence[Cause]) -> Iterator[str]:
        for number, cause in enumerate(causes):
            if number:
                yield ""
            yield from cause_lines(self.terminal, cause, verbose=self.verbose)

    def _brief(self, causes: Sequence[Cause]) -> Iterator[str]:
        for cause in causes[:_ROWS]:
            yield from one_line(self.terminal, cause.shown)
        if len(causes) > _ROWS:
            yield _("  … and {value:,} more (-v lists them)", value=len(causes) - _ROWS)

    def _gap(self, gap: Gap) -> Iterator[str]:
        title = gap.path or gap.reasons[0]
        if "<node>" in gap.path or "<pod>" in gap.path:
            title += _(" of {owners}", owners=listed(gap.owners, 5))
        if gap.path and gap.peculiar:
            title = _("{what}: {told}", what=title, told=gap.peculiar)
        yield from self.prose.wrap(visible(title), "  ")
        if gap.command:
            command = self.terminal.paint(visible(gap.command), Paint.STRONG)
            told = _("{what}: {told}", what=visible(gap.where), told=command)
            yield f"    → {told if gap.where else command}"
        waiting = listed(gap.checks, len(gap.checks) if self.verbose else 5)
        on = listed(gap.subjects, len(gap.subjects) if self.verbose else 5)
        yield from self.prose.wrap(
            visible(_("needed by {waiting} ({on})", waiting=waiting, on=on)), "      "
        )


def _node(node: NodeRow) -> tuple[str, str, str, str, str]:
    return (
        visible(node.name),
        node.mode,
        visible(node.kube_proxy),
        node.backend,
        f"{node.rules:,}",
    )

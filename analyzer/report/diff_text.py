"""A difference for the terminal: what it comes to, findings first, then what lies behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from analyzer.difference.change import FindingState
from analyzer.difference.report import DiffReport
from analyzer.language import _, plural
from analyzer.report.terminal import Paint, Terminal
from analyzer.report.view_diff import DiffItem, DiffSection, DiffView, Sign, view_of_diff
from analyzer.report.view_diff_findings import FindingItem
from analyzer.report.visible import visible
from analyzer.report.wording import SEVERITY_MARKS

_ITEMS = 15
_LINES = 12
_WIDEST = 120
"""Sentences longer than this are hard to read, however wide the terminal is."""

_PAINT = {
    Sign.ADDED: Paint.GOOD,
    Sign.REMOVED: Paint.BAD,
    Sign.CHANGED: Paint.WARNING,
    Sign.UNKNOWN: Paint.NOTE,
}
FINDING_SIGNS = {
    FindingState.NEW: Sign.ADDED,
    FindingState.GONE: Sign.REMOVED,
    FindingState.SAME: Sign.NOTE,
    FindingState.UNSEEN_IN_OLD: Sign.UNKNOWN,
    FindingState.UNSEEN_IN_NEW: Sign.UNKNOWN,
}


def render_diff_text(diff: DiffReport, *, width: int, color: bool, verbose: bool = False) -> str:
    """Return the difference for a terminal of so many columns; `verbose`: nothing is left out."""
    view = view_of_diff(diff)
    terminal = replace(Terminal(width, color), width=min(width, _WIDEST))
    blocks = [_head(terminal, view), _findings(terminal, view, verbose)]
    blocks += [_section(terminal, section, verbose) for section in view.sections]
    return "\n\n".join(filter(None, ("\n".join(lines) for lines in blocks))) + "\n"


def _head(terminal: Terminal, view: DiffView) -> Iterator[str]:
    paint = Paint.WARNING if view.different else Paint.GOOD
    for line in terminal.wrap(visible(view.headline)):
        yield terminal.paint(line, paint)
    for sign, side in ((Sign.REMOVED, view.old), (Sign.ADDED, view.new)):
        yield from terminal.wrap(visible(side), f"{sign.value} ", "  ")


def _findings(terminal: Terminal, view: DiffView, verbose: bool) -> Iterator[str]:
    if not view.findings:
        return
    yield terminal.paint(_("Findings"), Paint.STRONG)
    for item in view.findings:
        if verbose or item.state is not FindingState.SAME:
            yield from _finding(terminal, item)
    if view.same and not verbose:
        yield "  " + plural(
            "{count} finding is on both sides (-v lists it)",
            "{count} findings are on both sides (-v lists them)",
            view.same,
        )


def _finding(terminal: Terminal, item: FindingItem) -> Iterator[str]:
    sign, shown = FINDING_SIGNS[item.state], item.shown
    mark = SEVERITY_MARKS[shown.severity].sign
    what = _("{what}: {told}", what=item.word, told=visible(shown.message))
    told = f"{what} [{shown.slug}] {visible(shown.first_place)}"
    yield from _signed(terminal, sign, f"{mark} {told}", 2)
    if item.reason:
        yield from terminal.wrap(visible(item.reason), " " * 6)
    if item.explained:
        told = plural("explains {count} other", "explains {count} others", item.explained)
        yield f"{' ' * 6}{told}"


def _section(terminal: Terminal, section: DiffSection, verbose: bool) -> Iterator[str]:
    yield terminal.paint(section.title, Paint.STRONG)
    for item in section.items if verbose else section.items[:_ITEMS]:
        yield from _item(terminal, item, verbose)
    if len(section.items) > _ITEMS and not verbose:
        yield "  " + _("… and {value:,} more (-v lists them)", value=len(section.items) - _ITEMS)


def _item(terminal: Terminal, item: DiffItem, verbose: bool) -> Iterator[str]:
    yield from _signed(terminal, item.sign, visible(item.title), 2)
    for line in item.lines if verbose else item.lines[:_LINES]:
        yield from _signed(terminal, line.sign, visible(line.text), 4)
    if len(item.lines) > _LINES and not verbose:
        hidden = len(item.lines) - _LINES
        yield "      " + _("… and {value:,} more (-v lists them)", value=hidden)


def _signed(terminal: Terminal, sign: Sign, text: str, indent: int) -> Iterator[str]:
    """Yield the lines of a text with its sign before the first one."""
    rest = " " * (indent + 4)
    paint = _PAINT.get(sign)
    if paint is None:
        yield from terminal.wrap(text, " " * (indent + 2), rest)
    else:
        yield from terminal.wrap(f"{terminal.paint(sign.value, paint)} {text}", " " * indent, rest)

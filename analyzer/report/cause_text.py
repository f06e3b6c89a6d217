"""A cause for the terminal: what is wrong, the lines that show it, what to do, what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.language import _, plural
from analyzer.model.severity import Severity
from analyzer.phrases import listed
from analyzer.report.markdown import BlockKind
from analyzer.report.terminal import Paint, Terminal, shorten
from analyzer.report.view_causes import Cause
from analyzer.report.view_findings import Excerpt, Shown
from analyzer.report.visible import cells, visible
from analyzer.report.wording import SEVERITY_MARKS

_INDENT = "    "
_LEAST_ROOM = 32
"""A line's excerpt shorter than this is put below its place instead of beside it."""

_SEVERITY_PAINT = {
    Severity.ERROR: Paint.BAD,
    Severity.WARNING: Paint.WARNING,
    Severity.INFO: Paint.NOTE,
}


def cause_lines(terminal: Terminal, cause: Cause, *, verbose: bool) -> Iterator[str]:
    """Yield the lines of one cause; `verbose` lists its consequences one by one."""
    shown = cause.shown
    mark = SEVERITY_MARKS[shown.severity]
    title = f"{mark.sign} {_(mark.word)}"
    subject = terminal.paint(visible(shown.subject), Paint.STRONG)
    slug = terminal.paint(f"[{shown.slug}]", Paint.FAINT)
    yield from terminal.wrap(
        f"{terminal.paint(title, _SEVERITY_PAINT[shown.severity])} {subject} {slug}", "", "  "
    )
    yield from terminal.wrap(visible(shown.message), "  ")
    for excerpt in shown.excerpts:
        yield from _evidence(terminal, excerpt)
    yield from _remedy(terminal, shown)
    yield from _consequences(terminal, cause, verbose)


def one_line(terminal: Terminal, shown: Shown) -> Iterator[str]:
    """Yield a finding as a list item, with the place of its first evidence."""
    sign = SEVERITY_MARKS[shown.severity].sign
    text = f"{sign} {visible(shown.message)} [{shown.slug}] {visible(shown.first_place)}"
    yield from terminal.wrap(text, "  ", _INDENT)


def _evidence(terminal: Terminal, excerpt: Excerpt) -> Iterator[str]:
    place = visible(excerpt.place)
    text = visible(excerpt.text.strip())
    note = f"({visible(excerpt.note)})" if excerpt.note else ""
    beside = terminal.width - len(_INDENT) - cells(place) - 2
    painted = terminal.paint(place, Paint.NOTE)
    if cells(text) <= beside or beside >= _LEAST_ROOM:
        line = f"{_INDENT}{painted}  {shorten(text, beside, _decisive(excerpt))}".rstrip()
    else:
        yield f"{_INDENT}{painted}"
        line = f"{_INDENT}  {shorten(text, terminal.width - 6, _decisive(excerpt))}"
    if note and cells(text) + 2 + cells(note) <= beside:
        yield f"{line}  {terminal.paint(note, Paint.FAINT)}"
    else:
        yield line
        yield from terminal.wrap(note, f"{_INDENT}  ") if note else ()


def _decisive(excerpt: Excerpt) -> tuple[int, int]:
    """Return where the decisive part stands once the line is stripped and made visible."""
    lead = len(excerpt.text) - len(excerpt.text.lstrip())
    begin, end = (max(position, lead) for position in excerpt.decisive)
    return (
        len(visible(excerpt.text[lead:begin])),
        len(visible(excerpt.text[lead:end])),
    )


def _remedy(terminal: Terminal, shown: Shown) -> Iterator[str]:
    arrow = "  → "
    for block in shown.remedy:
        if block.kind is BlockKind.CODE:
            yield f"{arrow}{terminal.paint(visible(block.text), Paint.STRONG)}"
        else:
            yield from terminal.wrap(visible(block.text), arrow, _INDENT)
        arrow = _INDENT


def _consequences(terminal: Terminal, cause: Cause, verbose: bool) -> Iterator[str]:
    if not cause.consequences:
        return
    number = plural(
        "{count:,} further finding", "{count:,} further findings", len(cause.consequences)
    )
    concerned = _(" on {services}", services=listed(cause.services, 5)) if cause.services else ""
    hint = "" if verbose else _(" (-v lists them)")
    yield from terminal.wrap(
        visible(
            _("Explains {number}{concerned}{hint}.", number=number, concerned=concerned, hint=hint)
        ),
        "  ",
    )
    if verbose:
        for shown in cause.consequences:
            yield from terminal.wrap(
                f"· {visible(shown.message)} [{shown.slug}] {visible(shown.first_place)}",
                _INDENT,
                f"{_INDENT}  ",
            )

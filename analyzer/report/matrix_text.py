"""Services at each station, as rows of marks for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.language import _
from analyzer.model.station import Status
from analyzer.model.verdict import Verdict
from analyzer.report.terminal import Paint, Terminal, pad
from analyzer.report.view_services import STATIONS, Cell, ServiceRow
from analyzer.report.visible import cells, visible
from analyzer.report.wording import STATUS_MARKS, VERDICT_MARKS

_STATUS_PAINT = {
    Status.PASS: Paint.GOOD,
    Status.FAIL: Paint.BAD,
    Status.WARN: Paint.WARNING,
    Status.NOT_EVALUATED: Paint.NOTE,
    Status.NOT_APPLICABLE: Paint.FAINT,
}
VERDICT_PAINT = {
    Verdict.BROKEN: Paint.BAD,
    Verdict.DEGRADED: Paint.WARNING,
    Verdict.UNKNOWN: Paint.NOTE,
    Verdict.HEALTHY: Paint.GOOD,
}


def matrix_lines(terminal: Terminal, rows: Sequence[ServiceRow]) -> Iterator[str]:
    """Yield a line of column heads and a line for each Service, with the stations that fail where there is room.

    Where the terminal is too narrow for that, the marks stand below the names.
    """
    words = max(cells(_(mark.word)) for mark in VERDICT_MARKS.values())
    longest = max(cells(visible(row.name)) for row in rows)
    columns = min(longest, max(terminal.width - words - 52, 30))
    initials = " ".join(_initials(_(station.value)) for station in STATIONS)
    lead = words + columns + 6
    if lead + cells(initials) > terminal.width:
        words, columns, lead = 0, 0, 2
    yield f"{'':{lead}}{terminal.paint(initials, Paint.FAINT)}"
    for row in rows:
        yield from _row(terminal, row, words, columns)


def _initials(word: str) -> str:
    """Return as much of a word as has room above a mark: two letters, or one character of two columns."""
    return pad(word[:1] if cells(word[:1]) > 1 else word[:2], 2)


def _verdict(row: ServiceRow) -> str:
    return _(VERDICT_MARKS[row.verdict].word)


def _row(terminal: Terminal, row: ServiceRow, words: int, columns: int) -> Iterator[str]:
    verdict = terminal.paint(pad(_verdict(row), words), VERDICT_PAINT[row.verdict])
    name = visible(row.name)
    marks = "  ".join(_mark(terminal, cell) for cell in row.cells)
    if cells(name) > columns:
        yield f"  {verdict}  {name}"
        yield f"{'':{words + columns + 6 if columns else 2}}{marks}"
        return
    failing = _(", ").join(row.failing)
    room = terminal.width - words - columns - 37
    yield f"  {verdict}  {pad(name, columns)}  {marks}" + (
        f"  {failing}" if failing and cells(failing) <= room else ""
    )


def _mark(terminal: Terminal, cell: Cell) -> str:
    return terminal.paint(STATUS_MARKS[cell.status].sign, _STATUS_PAINT[cell.status])


def legend_lines(terminal: Terminal) -> Iterator[str]:
    """Yield what the column heads and the marks stand for."""
    stations = _(", ").join(_(station.value) for station in STATIONS)
    marks = _(", ").join(f"{mark.sign} {_(mark.word)}" for mark in STATUS_MARKS.values())
    yield from terminal.wrap(_("Columns: {stations}.", stations=stations), "  ", "  ")
    yield from terminal.wrap(_("Marks: {marks}.", marks=marks), "  ", "  ")

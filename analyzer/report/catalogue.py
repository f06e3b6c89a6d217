"""The catalogue of checks, and the page of one check, as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from analyzer.check import Check
from analyzer.language import _
from analyzer.report.markdown import Block, BlockKind, blocks_of
from analyzer.report.terminal import Terminal, pad

_INDENT = "  "
_LEAST_SUMMARY = 30
"""A column of sentences narrower than this is hard to read: they are put below the slugs instead."""


def render_checks(catalogue: Iterable[Check], *, width: int) -> str:
    """Return every check with severity and summary, by station in the document's order."""
    checks = sorted(catalogue, key=lambda check: check.station.order)
    terminal = Terminal(width, color=False)
    slug = max((len(check.slug) for check in checks), default=0)
    sections = (
        "\n".join((_(station.value), *(_rows(terminal, found, slug))))
        for station, found in groupby(checks, key=lambda check: check.station)
    )
    return "\n\n".join(sections) + "\n"


def render_explanation(check: Check, *, width: int) -> str:
    """Return what a check finds, why it matters, what to do, and what it needs to be evaluated."""
    terminal = Terminal(width, color=False)
    title = _(
        "{check} ({severity}, station {station})",
        check=check.slug,
        severity=_(check.severity.value),
        station=_(check.station.value),
    )
    sections = [[title], *(list(_block(terminal, b)) for b in blocks_of(_(check.documentation)))]
    sections.append(list(_needs(terminal, check)))
    if check.consequence_of:
        causes = _(", ").join(check.consequence_of)
        sections.append(
            list(terminal.wrap(_("Explained, where they are found, by: {causes}.", causes=causes)))
        )
    if check.references:
        sections.append([_("Read more"), *(f"{_INDENT}{url}" for url in check.references)])
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _rows(terminal: Terminal, checks: Iterable[Check], slug: int) -> Iterator[str]:
    for check in checks:
        severity = _(check.severity.value)
        lead = f"{_INDENT}{pad(check.slug, slug)}  {pad(severity, 7)}  "
        if terminal.width - len(lead) >= _LEAST_SUMMARY:
            yield from terminal.wrap(_(check.summary), lead)
        else:
            yield f"{_INDENT}{check.slug}  {severity}"
            yield from terminal.wrap(_(check.summary), _INDENT * 3)


def _block(terminal: Terminal, block: Block) -> Iterator[str]:
    match block.kind:
        case BlockKind.CODE:
            yield from (f"    {line}" for line in block.text.split("\n"))
        case BlockKind.LIST:
            for line in block.text.split("\n"):
                yield from terminal.wrap(line, f"{_INDENT}- ")
        case BlockKind.HEADING | BlockKind.PARAGRAPH:
            yield from terminal.wrap(_with_backticks(block))


def _with_backticks(block: Block) -> str:
    """Return a line with its `code` as it was written: plain text has no other way to set it off."""
    return "".join(f"`{s.text}`" if s.code else s.text for line in block.lines for s in line)


def _needs(terminal: Terminal, check: Check) -> Iterator[str]:
    if not check.needs:
        yield _("Needs no particular file.")
        return
    yield _("Needs")
    for needed in check.needs:
        yield f"{_INDENT}{needed.path('<node>', '<namespace>', '<pod>')}"
        yield from terminal.wrap(needed.command("<node>", "<namespace>", "<pod>"), _INDENT * 3)

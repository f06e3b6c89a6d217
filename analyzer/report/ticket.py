"""A report as Markdown for a ticket: the causes first, each with its evidence and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer import __version__
from analyzer.findings import Report
from analyzer.language import _, plural
from analyzer.model.verdict import Verdict
from analyzer.phrases import listed
from analyzer.report.markdown import Block, BlockKind
from analyzer.report.markdown_text import code, fenced, inline, table_row
from analyzer.report.view import ReportView, view_of
from analyzer.report.view_causes import Cause
from analyzer.report.view_findings import Excerpt, Shown
from analyzer.report.wording import SEVERITY_MARKS, VERDICT_MARKS, sentence

_CONSEQUENCES = 10
_ROWS = 50
_GAPS = 20
"""More than this is no reading for a ticket; the JSON report has everything."""


def render_ticket(report: Report) -> str:
    """Return the report as Markdown; the same report gives the same bytes."""
    view = view_of(report)
    blocks = (*_head(view), *_causes(view), *_services(view), *_gaps(view), _foot(view))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _head(view: ReportView) -> Iterator[str]:
    yield f"# {inline(view.headline)}"
    yield inline(sentence(view.origin))


def _causes(view: ReportView) -> Iterator[str]:
    for number, cause in enumerate(view.problems, start=1):
        yield from _cause(number, cause)
    if view.advice:
        yield f"## {_('Advice')}"
        yield "\n".join(f"- {_mention(cause.shown)}" for cause in view.advice)


def _cause(number: int, cause: Cause) -> Iterator[str]:
    shown = cause.shown
    mark = SEVERITY_MARKS[shown.severity]
    title = _("{what}: {told}", what=_(mark.word), told=inline(shown.subject))
    yield f"## {number}. {mark.sign} {title}"
    yield f"**{inline(sentence(shown.message))}** ({code(shown.slug)})"
    yield f"**{_('What to do')}**"
    yield from map(_block, shown.remedy)
    yield f"**{_('Evidence')}**"
    for excerpt in shown.excerpts:
        yield from _excerpt(excerpt)
    yield from _consequences(cause)


def _block(block: Block) -> str:
    if block.kind is BlockKind.CODE:
        return fenced(block.text.split("\n"), "sh")
    spans = (code(s.text) if s.code else inline(s.text) for line in block.lines for s in line)
    return " ".join(filter(None, spans))


def _excerpt(excerpt: Excerpt) -> Iterator[str]:
    note = f" – {inline(excerpt.note)}" if excerpt.note else ""  # noqa: RUF001 - a dash
    yield f"{code(excerpt.place)}{note}"
    width = len(str(excerpt.lines[-1].number))
    yield fenced(
        [
            f"{'>' if line.decides else ' '} {line.number:{width}}  "
            + "".join(segment.text for segment in line.segments)
            for line in excerpt.lines
        ],
        "text",
    )


def _consequences(cause: Cause) -> Iterator[str]:
    if not cause.consequences:
        return
    number = len(cause.consequences)
    told = plural("Explains {count} further finding", "Explains {count} further findings", number)
    concerned = listed(cause.services, 5)
    if concerned:
        told = _("{what}: {told}", what=told, told=inline(concerned))
    yield sentence(told)
    items = [f"- {_mention(shown)}" for shown in cause.consequences[:_CONSEQUENCES]]
    yield "\n".join((*items, *_more(number - _CONSEQUENCES)))


def _mention(shown: Shown) -> str:
    return f"{inline(shown.message)} ({code(shown.slug)}, {code(shown.first_place)})"


def _services(view: ReportView) -> Iterator[str]:
    ill = [row for row in view.services if row.verdict is not Verdict.HEALTHY]
    if not ill:
        return
    yield f"## {_('Services that are not healthy')}"
    head = (_("Service"), _("Verdict"), _("Fails at"), _("Cause"))
    rows = [
        (
            code(row.name),
            f"{VERDICT_MARKS[row.verdict].sign} {_(VERDICT_MARKS[row.verdict].word)}",
            _(", ").join(row.failing),
            code(row.cause_slug) if row.cause_slug else "",
        )
        for row in ill[:_ROWS]
    ]
    yield "\n".join((table_row(head), table_row(("---",) * len(head)), *map(table_row, rows)))
    yield "\n".join(_more(len(ill) - _ROWS))


def _gaps(view: ReportView) -> Iterator[str]:
    if not view.gaps:
        return
    yield f"## {_('Not evaluated, and the command that would tell')}"
    for gap in view.gaps[:_GAPS]:
        title = code(gap.path) if gap.path else inline(gap.reasons[0])
        owners = f" ({inline(listed(gap.owners, 5))})" if gap.path and gap.owners else ""
        checks = _(", ").join(map(code, gap.checks))
        yield _("{what}: {told}", what=f"{title}{owners}", told=checks)
        if gap.command:
            yield fenced([gap.command], "sh")
    yield "\n".join(_more(len(view.gaps) - _GAPS))


def _more(number: int) -> Iterator[str]:
    if number > 0:
        yield "- " + _("… and {value:,} more", value=number)


def _foot(view: ReportView) -> str:
    bundle = next(fact.value for fact in view.facts)
    return _("Made by svcbundle {version} from {bundle}.", version=__version__, bundle=code(bundle))

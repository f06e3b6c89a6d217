"""A trace for a terminal: each outcome with its share, then the way of the packet, hop by hop."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import groupby

from analyzer.findings import Quote
from analyzer.language import _, later
from analyzer.model.source import Ref, SourceRef
from analyzer.report.terminal import Paint, Terminal
from analyzer.report.visible import visible
from analyzer.simulate.branch import Leg, Step
from analyzer.simulate.names import Reply, Resolution
from analyzer.simulate.outcome import Answer, Backend, Outcome, Verdict

_LARGEST_DENOMINATOR = 100
_ROUNDING = Fraction(1, 100_000)
"""The kernel keeps 1/3 as 715827883/2147483648, and kube-proxy 1.16 and earlier as 0.33333."""

_LEGS = {
    Leg.REQUEST: later("the request"),
    Leg.REPLY: later("the answer on its way back"),
    Leg.DATA: later("the client's next packet"),
}
_VERDICTS = {
    Verdict.DELIVERED: later("delivered"),
    Verdict.UNANSWERED: later("unanswered"),
    Verdict.REJECTED: later("rejected"),
    Verdict.DROPPED: later("dropped"),
    Verdict.UNROUTABLE: later("unroutable"),
    Verdict.EXTERNAL: later("external"),
    Verdict.UNRESOLVED: later("unresolved"),
    Verdict.INCONCLUSIVE: later("inconclusive"),
}
_REPLIES = {
    Reply.ANSWER: later("answer"),
    Reply.ALIAS: later("alias"),
    Reply.NO_SUCH_NAME: later("no such name"),
    Reply.NO_ADDRESS: later("no address"),
    Reply.UPSTREAM: later("asked upstream"),
    Reply.UNHEARD: later("no answer of the cluster's DNS"),
}
_EFFECTS = frozenset({later("accept"), later("drop"), later("return")})
_PAINTS = {
    Verdict.DELIVERED: Paint.GOOD,
    Verdict.EXTERNAL: Paint.NOTE,
    Verdict.INCONCLUSIVE: Paint.WARNING,
}


def render_trace_text(answer: Answer, quotes: Mapping[Ref, Quote], terminal: Terminal) -> str:
    """Return the text, with a blank line at the end."""
    return "\n".join(_lines(answer, quotes, terminal)) + "\n\n"


def share_text(probability: Fraction) -> str:
    """Return `1/3 (33.33 %)`, or the percentage alone where no simple fraction is meant."""
    percent = f"{float(probability) * 100:.4g} %"
    if probability == 1:
        return _("always")
    simple = probability.limit_denominator(_LARGEST_DENOMINATOR)
    meant = simple > 0 and abs(simple - probability) <= _ROUNDING
    return f"{simple} ({percent})" if meant else percent


def _lines(answer: Answer, quotes: Mapping[Ref, Quote], terminal: Terminal) -> Iterator[str]:
    title = visible(f"{answer.source} -> {answer.destination} ({answer.protocol})")
    yield terminal.paint(title, Paint.STRONG)
    if answer.resolution is not None:
        yield from _resolution(answer.resolution)
    if answer.trace.reason:
        doubt = _("beyond the bundle") if answer.trace.conclusive else _("not conclusive")
        painted = terminal.paint(doubt, Paint.WARNING)
        told = _("{what}: {told}", what=painted, told=visible(answer.trace.reason))
        yield from terminal.wrap(told, "  ")
    outcomes = answer.trace.outcomes
    common = {t for t in _assumed(outcomes) if all(t in o.assumed for o in outcomes)}
    unsaid = (text for text in sorted(common) if text not in answer.trace.reason)
    yield from _granted(unsaid, "  ", terminal)
    for outcome in outcomes:
        yield ""
        yield from _outcome(outcome, common, quotes, terminal)


def _resolution(found: Resolution) -> Iterator[str]:
    for query in found.queries:
        values = f" {', '.join(query.values)}" if query.values else ""
        yield visible(
            _(
                "  asks {query}  {reply}{values}",
                query=query.name,
                reply=_(_REPLIES[query.reply]),
                values=values,
            )
        )


def _assumed(outcomes: Iterable[Outcome]) -> Iterator[str]:
    return (text for outcome in outcomes for text in outcome.assumed)


def _granted(texts: Iterable[str], indent: str, terminal: Terminal) -> Iterator[str]:
    for text in texts:
        yield from terminal.wrap(_("taken for granted: {text}", text=visible(text)), indent)


def _outcome(
    outcome: Outcome, common: Container[str], quotes: Mapping[Ref, Quote], terminal: Terminal
) -> Iterator[str]:
    verdict = terminal.paint(_(_VERDICTS[outcome.verdict]), _PAINTS.get(outcome.verdict, Paint.BAD))
    words = f"{share_text(outcome.probability)} {verdict}"
    if outcome.backend is not None:
        words = _("{what}: {told}", what=words, told=visible(_backend(outcome.backend)))
    if outcome.source and outcome.backend is not None:
        words += visible(_(", which sees {source}", source=outcome.source))
    elif outcome.source:
        words += visible(_(", with the source {source}", source=outcome.source))
    yield from terminal.wrap(words, "  ")
    if outcome.reason:
        yield from terminal.wrap(_("because {reason}", reason=visible(outcome.reason)), "    ")
    own = (text for text in outcome.assumed if text not in common)
    yield from _granted(own, "    ", terminal)
    delivered = outcome.verdict is Verdict.DELIVERED
    for leg, steps in groupby(outcome.path, key=lambda s: s.leg):
        if delivered and leg is not Leg.REQUEST:
            yield _("    the answer comes back")
            break
        yield f"    {_(_LEGS[leg])}"
        yield from _way(list(steps), quotes, terminal)


def _backend(backend: Backend) -> str:
    host = f"[{backend.address}]" if ":" in backend.address else backend.address
    end = f"{host}:{backend.port}" if backend.port is not None else host
    whose = _(" (pod {pod})", pod=backend.pod) if backend.pod else ""
    where = _(" on {node}", node=backend.node) if backend.node else ""
    return f"{end}{whose}{where}"


def _way(steps: list[Step], quotes: Mapping[Ref, Quote], terminal: Terminal) -> Iterator[str]:
    for host, there in groupby(steps, key=lambda s: s.host):
        yield _("      on {host}", host=visible(host))
        for step in there:
            where = " ".join(filter(None, (step.hook.value if step.hook else "", step.table)))
            place = _place(step.source, quotes)
            effect = _(step.effect) if step.effect in _EFFECTS else step.effect
            told = _("{what}: {told}", what=where or _("routing"), told=effect)
            yield visible(f"        {told}")
            shown = f"{place}  {step.text}" if place else step.text
            for line in terminal.wrap(visible(shown), "          ", "            "):
                yield terminal.paint(line, Paint.FAINT)


def _place(source: Ref | None, quotes: Mapping[Ref, Quote]) -> str:
    if isinstance(source, SourceRef):
        return f"{source.path}:{source.line}"
    if source is None or not source.path:
        return ""
    return f"{source.path}:{quotes[source].line}" if source in quotes else source.path

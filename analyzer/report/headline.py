"""The verdict in words: what is broken, and why, in one sentence each."""

from __future__ import annotations

from collections import Counter

from analyzer.findings import Report
from analyzer.language import _, later, plural
from analyzer.model.verdict import Verdict
from analyzer.report.view_causes import Cause
from analyzer.report.wording import VERDICT_ORDER, sentence

_STATES = {
    Verdict.BROKEN: (later("is broken"), later("are broken")),
    Verdict.DEGRADED: (later("is degraded"), later("are degraded")),
    Verdict.UNKNOWN: (later("could not be judged"), later("could not be judged")),
    Verdict.HEALTHY: (later("is healthy"), later("are healthy")),
}


def headline(report: Report) -> str:
    """Return how many Services are in which state, such as `2 of 17 Services are broken.`."""
    if not report.services:
        return _("No Service was examined.")
    verdicts = Counter(service.verdict for service in report.services)
    found = [verdict for verdict in VERDICT_ORDER if verdicts[verdict]]
    total = plural("{count:,} Service", "{count:,} Services", len(report.services))
    if len(report.services) == 1:
        return _(
            "Service {service} {state}.",
            service=report.services[0].service.full_name,
            state=_state(found[0], 1),
        )
    if found == [Verdict.UNKNOWN]:
        return _("None of the {total} could be judged.", total=total)
    if len(found) == 1:
        return _("All {total} {state}.", total=total, state=_state(found[0], len(report.services)))
    if Verdict.HEALTHY in found[1:]:
        # What is well goes without saying, unless all that can be said besides is what is not known.
        found = found[:-1] if found[0] is not Verdict.UNKNOWN else found[::-1]
    first, *others = found
    parts = [
        _(
            "{verdict:,} of {total} {state}",
            verdict=verdicts[first],
            total=total,
            state=_state(first, verdicts[first]),
        )
    ]
    parts += [
        _("{verdict:,} {state}", verdict=verdicts[other], state=_state(other, verdicts[other]))
        for other in others
    ]
    return sentence(_(", ").join(parts))


def explanation(problems: tuple[Cause, ...]) -> str:
    """Return the gravest cause as a sentence; empty where nothing is wrong."""
    if not problems:
        return ""
    gravest = sentence(problems[0].shown.message)
    if len(problems) == 1:
        return _("Cause: {gravest}", gravest=gravest)
    return _(
        "{causes} found. The gravest: {gravest}",
        causes=plural("{count:,} cause", "{count:,} causes", len(problems)),
        gravest=gravest,
    )


def _state(verdict: Verdict, number: int) -> str:
    singular, many = _STATES[verdict]
    return _(singular if number == 1 else many)

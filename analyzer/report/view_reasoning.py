"""How svcbundle came to a finding: what it read, what it compared, and what else would have explained it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analyzer.findings import CheckTally, Finding, Report
from analyzer.language import _, plural
from analyzer.phrases import listed


def reasoning(
    report: Report, finding: Finding, tallies: Mapping[str, CheckTally]
) -> tuple[str, ...]:
    """Return the steps, each a sentence; `tallies` by slug."""
    return tuple(_steps(report, finding, tallies))


def _steps(report: Report, finding: Finding, tallies: Mapping[str, CheckTally]) -> Iterator[str]:
    check, problem = finding.check, finding.problem
    if check.needs:
        node, pod = problem.node or "<node>", problem.pod or "<namespace>/<pod>"
        namespace, _slash, name = pod.partition("/")
        files = [needed.path(node, namespace, name) for needed in check.needs]
        yield _("The check {slug} read {files}.", slug=check.slug, files=listed(files, 8))
    quotes = [report.quote(evidence) for evidence in problem.evidence]
    places = list(dict.fromkeys(f"{quote.path}:{quote.line}" for quote in quotes))
    yield plural(
        "It found the contradiction in {count} line: {places}. What its sentence repeats is marked.",
        "It found the contradiction in {count} lines: {places}. What its sentence repeats is marked.",
        len(places),
        places=listed(places, 5),
    )
    if tally := tallies.get(check.slug):
        yield _(
            "Of all that the same check looked at, {passed:,} passed, {found:,} did not, "
            "{open:,} could not be evaluated.",
            passed=tally.passed,
            found=tally.findings,
            open=tally.not_evaluated,
        )
    if finding.caused_by is None and check.consequence_of:
        yield _ruled_out(finding, tallies)


def _ruled_out(finding: Finding, tallies: Mapping[str, CheckTally]) -> str:
    """Say which other checks would have explained it, and what they came to."""
    known = [slug for slug in finding.check.consequence_of if slug in tallies]
    unclear = [s for s in known if tallies[s].not_evaluated and not tallies[s].findings]
    text = _(
        "It is a cause and no consequence: {checks} would explain it, and found nothing here.",
        checks=listed(known or finding.check.consequence_of, 12),
    )
    if unclear:
        text += " " + _("Not evaluated everywhere: {checks}.", checks=listed(unclear, 12))
    return text

"""Every check on the small bundles of its folder: tests/checks/<slug>/<case>/bundle gives expected.txt.

`pytest --update-golden` accepts what comes out; read the difference before committing it. A case that
asks about certain Services names them in `services.txt`, one `namespace/name` a line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.check import Check
from analyzer.checks import catalogue
from analyzer.examination import Examination, examine
from analyzer.findings import Quote
from analyzer.load import load
from analyzer.model.forwarding import ServiceKey
from analyzer.model.source import Ref
from analyzer.problems import Problem
from analyzer.quotation import quote

FOLDER = Path(__file__).parent
CASES = sorted(path.parent for path in FOLDER.glob("*/*/bundle"))
CHECKS = {check.slug: check for check in catalogue()}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_a_check_says_of_its_sample_what_is_expected(
    case: Path, request: pytest.FixtureRequest
) -> None:
    said = _run(CHECKS[case.parent.name], case)
    golden = case / "expected.txt"
    if request.config.getoption("--update-golden"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("slug", sorted(CHECKS))
def test_a_check_has_a_sample_that_makes_it_fire_and_one_on_which_it_is_silent(slug: str) -> None:
    said = [path.read_text(encoding="utf-8") for path in FOLDER.glob(f"{slug}/*/expected.txt")]
    assert any(text.startswith(("error", "warning", "info")) for text in said), "none fires"
    assert "passed\n" in said, "none passes"


def test_every_sample_belongs_to_a_check() -> None:
    assert {case.parent.name for case in CASES} <= CHECKS.keys()


def _run(check: Check, case: Path) -> str:
    with open_bundle([case / "bundle"]) as bundle:
        cluster = load(bundle)
        asked = case / "services.txt"
        if asked.exists():
            cluster.asked_services = tuple(
                ServiceKey(*line.split("/")) for line in asked.read_text().split()
            )
        result = examine(cluster, [check], cluster.nodes.values(), lambda _: None)
        assert not result.defects, result.defects[0].trace
        refs = [e.source for _, p in result.problems for e in p.evidence]
        return _written(result, quote(bundle, refs))


def _written(result: Examination, quotes: dict[Ref, Quote]) -> str:
    said = [line for check, p in result.problems for line in _problem(check, p, quotes)]
    for gap in result.not_evaluated:
        said.append(f"not evaluated {gap.subject}: {gap.reason}")
        said.extend(f"  missing {path}" for path in gap.missing)
        if gap.command:
            said.append(f"  command {gap.command}")
    return "\n".join(said or ["passed"]) + "\n"


def _problem(check: Check, problem: Problem, quotes: dict[Ref, Quote]) -> list[str]:
    severity = (problem.severity or check.severity).value
    subject = [f"service={problem.service}" if problem.service else ""]
    subject += [f"affects={','.join(map(str, sorted(problem.affects)))}"] if problem.affects else []
    subject += [
        f"{key}={getattr(problem, key)}" for key in ("port", "node", "pod") if getattr(problem, key)
    ]
    subject += ["partial"] if problem.partial else []
    lines = [" ".join([severity, *filter(None, subject)]), f"  {problem.message}"]
    for evidence in problem.evidence:
        shown = quotes[evidence.source]
        lines.append(f"  {shown.path}:{shown.line}: {shown.text.strip()}  <- {evidence.note}")
    lines.extend(f"  $ {line}" for line in problem.remedy.splitlines())
    return lines

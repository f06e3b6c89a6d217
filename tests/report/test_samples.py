from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from analyzer.bundle.limits import Limits
from analyzer.bundle.reader import open_bundle
from analyzer.findings import Report
from analyzer.pipeline import Question, analyse
from analyzer.report.finding_anchors import anchors_of
from analyzer.report.html import render_html
from analyzer.report.json import render_json, report_schema
from analyzer.report.text import render_text
from analyzer.report.visible import HIDDEN

SAMPLES = Path(__file__).parents[2] / "samples"
BUNDLES = sorted(p for p in SAMPLES.glob("*/bundle*") if p.is_dir() or p.suffix == ".tgz")


@pytest.fixture(scope="module", params=BUNDLES, ids=lambda path: path.parent.name)
def report(request: pytest.FixtureRequest) -> Report:
    with open_bundle((request.param,), Limits()) as bundle:
        return analyse(bundle, Question(), lambda _: None).report


def test_the_report_of_a_sample_is_valid_json(report: Report) -> None:
    Draft202012Validator(report_schema()).validate(json.loads(render_json(report)))


def test_the_report_of_a_sample_can_be_read(report: Report) -> None:
    text = render_text(report, width=100, color=False, verbose=True)
    assert HIDDEN.search(text.replace("\n", "")) is None
    page = render_html(report)
    assert all(f'id="{anchor}"' in page for anchor in anchors_of(report.findings).values())
    assert all(finding.problem.message.split()[0] in text for finding in report.findings)

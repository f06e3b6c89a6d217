"""The samples that ship with the project: what is said of each, word by word, and that it is the README's answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.checks import catalogue
from tests.bundles import SAMPLES, sample
from tests.command_line import ROOT, svcbundle

ROW = re.compile(
    r"^\| `(?P<name>[\w-]+)` \| (?P<broken>.+) \| (?:`(?P<answer>[\w-]+)`|\u2013) \|$", re.MULTILINE
)
NEVER_SERVED = "shop/payments"
"""A Service without pods in all bundles of the lab: samples/README.md says so of the healthy one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A row of the table in samples/README.md."""

    name: str
    broken: str
    answer: str | None


README = (SAMPLES / "README.md").read_text(encoding="utf-8")
TABLE = [Sample(m["name"], m["broken"], m["answer"]) for m in ROW.finditer(README)]


@pytest.fixture(autouse=True)
def _paths_as_a_user_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def bundle(name: str) -> Path:
    return sample(name).relative_to(ROOT)


def test_every_sample_has_a_row_and_every_row_a_sample() -> None:
    assert sorted(row.name for row in TABLE) == sorted(
        p.name for p in SAMPLES.iterdir() if p.is_dir()
    )
    assert {row.answer for row in TABLE if row.answer} <= {check.slug for check in catalogue()}
    assert len(TABLE) >= 8


def test_the_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 3_000_000


@pytest.mark.parametrize("name", [row.name for row in TABLE])
def test_the_report_of_a_sample_is_the_one_beside_it(
    name: str, request: pytest.FixtureRequest
) -> None:
    ran = svcbundle("analyze", bundle(name), "-q")
    assert ran.err == ""
    golden = SAMPLES / name / "report.txt"
    if request.config.getoption("--update-golden"):
        golden.write_text(ran.out, encoding="utf-8")
    assert ran.out == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_answer_is_the_one_of_the_table(row: Sample) -> None:
    report = json.loads(svcbundle("analyze", bundle(row.name), "-q", "--format", "json").out)
    causes = [
        f for f in report["findings"] if f["causedBy"] is None and f["service"] != NEVER_SERVED
    ]
    errors = {f["check"] for f in causes if f["severity"] == "error"}
    assert errors <= {row.answer}
    if row.answer is not None:
        (found,) = [f for f in causes if f["check"] == row.answer]
        # What the table says is broken is what is blamed: each name in it that the report knows.
        named = re.findall(r"\b(?:node-[a-c]|default/hostnames)\b", row.broken)
        told = json.dumps(found)
        affected = {
            s["namespace"] + "/" + s["name"]
            for s in report["services"]
            if s["cause"] == found["id"]
        }
        assert all(name in told or name in affected for name in named)


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.answer is None], ids=lambda row: row.name
)
def test_no_service_of_a_healthy_sample_is_broken(row: Sample) -> None:
    report = json.loads(svcbundle("analyze", bundle(row.name), "-q", "--format", "json").out)
    broken = {
        f"{s['namespace']}/{s['name']}" for s in report["services"] if s["verdict"] == "broken"
    }
    assert broken <= {NEVER_SERVED}

"""Files that strangers published, each as the only file of a node: nothing fails, a ruleset alone accuses nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.findings import Report
from analyzer.model.severity import Severity
from analyzer.pipeline import Question, analyse

PLACES = {
    "iptables": "nodes/node-1/iptables-save.txt",
    "logs": "nodes/node-1/kube-proxy.log",
    "resolv": "nodes/node-1/resolv.conf",
}


@pytest.mark.parametrize("kind", sorted(PLACES))
def test_no_published_file_makes_a_check_fail(shared: Path, tmp_path: Path, kind: str) -> None:
    for file in sorted((shared / "realworld" / kind).iterdir()):
        _report(file, tmp_path / "bundle", PLACES[kind])


def test_a_ruleset_without_api_objects_accuses_nobody(shared: Path, tmp_path: Path) -> None:
    for file in sorted((shared / "realworld" / "iptables").iterdir()):
        report = _report(file, tmp_path / "bundle", PLACES["iptables"])
        accused = [
            finding.problem.message
            for finding in report.findings
            if finding.check.station.value != "bundle" and finding.severity is not Severity.INFO
        ]
        assert not accused, f"{file.name}: {accused}"


def _report(file: Path, folder: Path, place: str) -> Report:
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.read_bytes())
    with open_bundle([folder]) as bundle:
        analysis = analyse(bundle, Question(), lambda _: None)
    assert not analysis.defects, f"{file.name}: {analysis.defects[0].trace}"
    return analysis.report

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import Failure, JUnitXml, Skipped

from analyzer.findings import StationResult
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.report.junit import render_junit
from tests.report import factories as make
from tests.report.cases import CASES, nothing_known, one_broken

# junit-10.xsd of Jenkins' xUnit plugin: what may stand in which element.
ATTRIBUTES = {
    "testsuites": "name time tests failures disabled errors skipped",
    "testsuite": "name tests failures errors group time skipped timestamp hostname id package file log url version",
    "testcase": "name time classname group",
    "failure": "type message",
    "skipped": "type message",
    "system-out": "",
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err", "properties"},
    "failure": set(),
    "skipped": set(),
    "system-out": set(),
}
REQUIRED = {"testsuite": {"name"}, "testcase": {"name"}}


@pytest.fixture(params=CASES)
def root(request: pytest.FixtureRequest) -> ET.Element:
    return ET.fromstring(render_junit(CASES[request.param]()))


def test_elements_and_attributes_are_those_of_the_schema(root: ET.Element) -> None:
    for element in root.iter():
        assert element.attrib.keys() <= set(ATTRIBUTES[element.tag].split())
        assert element.attrib.keys() >= REQUIRED.get(element.tag, set())
        assert {child.tag for child in element} <= CHILDREN[element.tag]


def test_counts_are_right(root: ET.Element) -> None:
    for counted in (root, *root):
        cases = list(counted.iter("testcase"))
        assert counted.get("tests") == str(len(cases))
        assert counted.get("failures") == str(sum(c.find("failure") is not None for c in cases))
        assert counted.get("skipped") == str(sum(c.find("skipped") is not None for c in cases))


@pytest.mark.parametrize("case", CASES)
def test_every_report_reads_as_it_did(case: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{case}.xml", render_junit(CASES[case]()))


def test_a_service_and_a_station_are_a_test_case(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    file.write_text(render_junit(one_broken()), "utf-8")
    report = JUnitXml.fromfile(str(file))
    suite = next(s for s in report if s.name == "default/hostnames")
    results = {case.name: case.result for case in suite}
    assert list(results) == [s.value for s in Station if s is not Station.BUNDLE]
    (failure,) = results["endpoints"]
    assert isinstance(failure, Failure)
    assert failure.type == "selector-matches-no-pods"
    assert "cluster/services.json:812" in failure.text
    assert "kubectl -n default patch service hostnames" in failure.text
    assert results["exists"] == []


def test_what_was_not_evaluated_is_skipped_not_passed() -> None:
    text = render_junit(one_broken())
    report = JUnitXml.fromstring(text.encode())
    suite = next(s for s in report if s.name == "kube-system/kube-dns")
    (skipped,) = next(case for case in suite if case.name == "hairpin").result
    assert isinstance(skipped, Skipped)
    assert skipped.message == "not evaluated: no hairpin.txt from node-b"


def test_a_bundle_without_services_does_not_pass() -> None:
    report = JUnitXml.fromstring(render_junit(nothing_known()).encode())
    assert (report.tests, report.skipped) == (1, 1)


def test_a_warning_is_told_and_does_not_fail() -> None:
    found = make.Findings()
    warning = found.add(make.hairpin_disabled, "hairpin is off", node="node-a")
    station = StationResult(Station.HAIRPIN, Status.WARN, (warning,))
    service = make.diagnosed(make.service("shop", "web"), Verdict.DEGRADED, hairpin=station)
    root = ET.fromstring(render_junit(make.report(found, services=(service,))))
    (case,) = (c for c in root.iter("testcase") if c.get("name") == "hairpin")
    assert case.find("failure") is None
    assert "warning: hairpin is off" in case.findtext("system-out", "")


def test_an_error_that_no_service_tells_fails_on_its_own() -> None:
    found = make.Findings()
    found.add(make.rules_hook_missing, "no hook on node-b", node="node-b")
    root = ET.fromstring(render_junit(make.report(found)))
    (case,) = root.iter("testcase")
    assert case.get("name") == "rules-hook-missing (node node-b)"
    assert case.find("failure") is not None

"""One fault gives one root finding: the others of these stations are its consequences."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.checks import catalogue
from analyzer.diagnosis import diagnose
from analyzer.examination import examine
from analyzer.load import load
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.model.verdict import Verdict

FOLDER = Path(__file__).parent
STATIONS = {Station.EXISTS, Station.DEFINITION, Station.ENDPOINTS, Station.PODS}


def _diagnose(case: str):  # noqa: ANN202
    with open_bundle([FOLDER / case / "bundle"]) as bundle:
        cluster = load(bundle)
        checks = [c for c in catalogue() if c.station in STATIONS]
        examination = examine(cluster, checks, cluster.nodes.values(), lambda _: None)
        assert not examination.defects, examination.defects[0].trace
        return diagnose(cluster, examination)


@pytest.mark.parametrize(
    ("case", "roots", "consequences"),
    [
        ("target-port-quoted-number/quoted-by-the-tool-that-wrote-the-dump", set(), set()),
        (
            "target-port-name-missing/two-services-of-the-same-pods",
            {"target-port-name-missing"},
            set(),
        ),
        ("protocol-mismatch/by-name", {"protocol-mismatch"}, set()),
        ("protocol-mismatch/on-the-node", {"protocol-mismatch"}, set()),
        ("cluster-ip-duplicate/two-services", {"cluster-ip-duplicate"}, set()),
        ("external-ip-hijack/cluster-ip-of-the-api-server", {"external-ip-hijack"}, set()),
        (
            "selector-matches-no-pods/three-services-of-one-selector",
            {"selector-matches-no-pods"},
            set(),
        ),
        (
            "endpoints-not-written/controller-does-not-work",
            {"endpoints-not-written", "selector-matches-no-pods"},
            {"selector-matches-no-pods"},
        ),
        ("endpoints-stale/two-services", {"endpoints-stale"}, set()),
        ("pods-not-ready/two-services-of-the-same-pods", {"pods-not-ready"}, set()),
        ("pods-readiness-gate/never-set", {"pods-readiness-gate"}, set()),
        ("pods-restarting/not-ready-at-the-moment", {"pods-not-ready"}, set()),
        ("pods-terminating/no-others-and-none-serves", {"pods-terminating"}, set()),
        ("node-not-ready/kubelet-does-not-report", {"node-not-ready"}, {"pods-not-ready"}),
        (
            "network-plugin-not-ready/cni-plugin-not-initialized",
            {"network-plugin-not-ready"},
            {"node-not-ready", "pods-not-ready"},
        ),
        (
            "network-plugin-not-ready/pods-get-no-network",
            {"network-plugin-not-ready"},
            {"pods-not-ready"},
        ),
    ],
)
def test_roots_and_consequences(case: str, roots: set[str], consequences: set[str]) -> None:
    felt = [f for f in _diagnose(case).findings if f.severity is not Severity.INFO]
    untied = [f for f in felt if f.caused_by is None]
    assert sorted(f.check.slug for f in untied) == sorted(roots)
    ids = {f.id for f in untied}
    tied = [f for f in felt if f.caused_by is not None]
    assert {f.check.slug for f in tied} == consequences
    assert all(f.caused_by in ids for f in tied)


def test_two_faults_stay_two() -> None:
    found = _diagnose("node-not-ready/pods-with-trouble-of-their-own").findings
    assert sorted(f.check.slug for f in found if f.caused_by is None) == [
        "node-not-ready",
        "pods-not-ready",
    ]


def test_a_finding_about_several_services_stands_on_the_row_of_each() -> None:
    diagnosis = _diagnose("cluster-ip-duplicate/two-services")
    finding = diagnosis.findings[0]
    for report in diagnosis.services:
        definition = next(s for s in report.stations if s.station is Station.DEFINITION)
        assert definition.findings == (finding.id,)
        assert report.cause == finding.id
        assert report.verdict is Verdict.DEGRADED


def test_a_finding_about_several_services_spares_the_others() -> None:
    diagnosis = _diagnose("endpoints-stale/two-services")
    verdicts = {str(r.service.key): r.cause for r in diagnosis.services}
    assert set(verdicts.values()) == {diagnosis.findings[0].id}
    diagnosis = _diagnose("endpoints-not-written/one-service-was-missed")
    causes = {str(r.service.key): r.cause for r in diagnosis.services}
    assert causes["store/till"] is None
    assert causes["store/ledger"] == diagnosis.findings[0].id

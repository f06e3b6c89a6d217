from __future__ import annotations

from pathlib import Path

from analyzer.bundle.reader import open_bundle
from analyzer.findings import Report
from analyzer.pipeline import Question, analyse
from bench.generate import write_bundle
from bench.plan import Plan

SMALLEST = Plan(services=1, endpoints=1)
MIXED = Plan(services=12, endpoints=4, nodes=2, node_port_every=3, affinity_every=4, local_every=2)


def _report(plan: Plan, directory: Path) -> Report:
    write_bundle(plan, directory)
    with open_bundle([directory]) as bundle:
        analysis = analyse(bundle, Question(), lambda _: None)
    assert analysis.defects == ()
    return analysis.report


def test_the_smallest_cluster_has_no_finding(tmp_path: Path) -> None:
    report = _report(SMALLEST, tmp_path)
    assert report.findings == ()
    assert [n.rules for n in report.nodes] == [28]


def test_a_cluster_with_something_of_everything_has_no_finding(tmp_path: Path) -> None:
    assert _report(MIXED, tmp_path).findings == ()


def test_a_stale_endpoint_is_found_on_the_last_node(tmp_path: Path) -> None:
    found = _report(Plan(services=2, endpoints=2, nodes=2, stale=1), tmp_path).findings
    assert [(f.check.slug, f.problem.node) for f in found if f.caused_by is None] == [
        ("rules-endpoint-stale", "node-001")
    ]


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_bundle(MIXED, tmp_path / name)
    one, other = (
        {p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()}
        for top in (tmp_path / "one", tmp_path / "other")
    )
    assert one == other


def test_a_large_cluster_has_no_comments_about_endpoints(tmp_path: Path) -> None:
    write_bundle(Plan(services=101), tmp_path)
    saved = (tmp_path / "nodes/node-000/iptables-save.txt").read_text()
    assert "-A KUBE-SEP-" in saved
    assert "--comment" not in "".join(
        line for line in saved.splitlines() if line.startswith("-A KUBE-SEP-")
    )

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import analyzer.survey
from analyzer.bundle.reader import open_bundle
from analyzer.checks import catalogue
from analyzer.errors import UsageError
from analyzer.examination import examine
from analyzer.executors import executor_for
from analyzer.load import load
from analyzer.pipeline import Question, analyse
from analyzer.report.json import render_json
from analyzer.survey import Run, Survey, survey_node, survey_nodes
from bench.generate import write_bundle
from bench.plan import Plan

SAMPLES = Path(__file__).parent.parent / "samples"
PLAN = Plan(services=12, endpoints=4, nodes=3, node_port_every=3, local_every=2, stale=2)
FOREIGN = "-A FORWARD -d 10.128.0.2/32 -j DROP"


@pytest.fixture(scope="module")
def bundle_paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("survey")
    for name in ("stale", "foreign", "damaged"):
        write_bundle(PLAN, top / name)
    write_bundle(replace(PLAN, stale=0), top / "plain")
    saved = top / "foreign/nodes/node-001/iptables-save.txt"
    saved.write_text(saved.read_text().replace("-A FORWARD", f"{FOREIGN}\n-A FORWARD", 1))
    cut = top / "damaged/nodes/node-002/iptables-save.txt"
    cut.write_text(cut.read_text()[:9000])
    (top / "damaged/nodes/node-000/sysctl.txt").write_text("what is this\n")
    return {p.name: p for p in top.iterdir()} | {
        p.parent.name: p for p in SAMPLES.glob("*/bundle.tgz")
    }


NAMES = [
    "stale",
    "foreign",
    "damaged",
    *sorted(p.parent.name for p in SAMPLES.glob("*/bundle.tgz")),
]


def report_of(
    path: Path,
    jobs: int | None = None,
    address: str | None = None,
    question: Question = Question(),  # noqa: B008 - it is frozen
) -> str:
    with open_bundle([path]) as bundle, executor_for(bundle, jobs, address) as executor:
        return render_json(analyse(bundle, question, lambda _: None, executor).report)


def first_node(path: Path) -> str:
    with open_bundle([path]) as bundle:
        return next(p.split("/")[1] for p in sorted(bundle.members) if p.startswith("nodes/"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("single", [False, True], ids=["all nodes", "a single one"])
def test_the_report_is_the_same_whoever_examines_the_nodes(
    bundle_paths: dict[str, Path], name: str, jobs: int, *, single: bool
) -> None:
    path = bundle_paths[name]
    question = Question(nodes=(first_node(path),) if single else ())
    assert report_of(path, jobs, question=question) == report_of(path, question=question)


def test_a_worker_that_is_told_of_the_pods_need_not_read_them(
    bundle_paths: dict[str, Path], tmp_path: Path
) -> None:
    without = tmp_path / "without"
    shutil.copytree(bundle_paths["plain"], without)
    (without / "cluster/pods.json").unlink()
    lent = load(open_bundle([bundle_paths["plain"]])).lend_pods()
    name = first_node(without)
    expected, found = (
        survey_node(
            Run(path.name, open_bundle([path]).origin, (), tuple(catalogue()), "en"), name, pods
        )
        for path, pods in ((bundle_paths["plain"], None), (without, lent))
    )
    assert found.results == expected.results
    assert found.summary == expected.summary
    assert any(result.passed for result in found.results.values())


@pytest.mark.parametrize("name", ["stale", "foreign"])
def test_workers_of_dask_give_the_same_report(bundle_paths: dict[str, Path], name: str) -> None:
    with dask_scheduler() as address:
        path = bundle_paths[name]
        assert report_of(path, address=address) == report_of(path)


@contextmanager
def dask_scheduler() -> Iterator[str]:
    """A scheduler with two worker processes on the loopback."""
    distributed: Any = pytest.importorskip("distributed", reason="distributed is not installed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with closing(cluster):
        yield cluster.scheduler_address.replace("tcp://", "dask://")


def test_without_foreign_rules_no_rule_is_read_twice(bundle_paths: dict[str, Path]) -> None:
    with (
        open_bundle([bundle_paths["plain"]]) as bundle,
        executor_for(bundle, 1, None) as executor,
    ):
        cluster = load(bundle)
        nodes, checks = tuple(cluster.nodes.values()), catalogue()
        assert executor is not None
        surveys = survey_nodes(bundle, cluster, nodes, checks, executor)
        cluster.source.limit_to(())  # whoever asks for rules now raises ElsewhereError
        examination = examine(cluster, checks, nodes, lambda _: None, surveys.results)
    assert examination.defects == ()
    assert examination.problems == ()
    assert {n.name for n in nodes} == set(surveys.reports)


def test_a_node_whose_worker_died_is_examined_all_the_same(
    bundle_paths: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle_paths["stale"]
    expected = report_of(path)
    monkeypatch.setattr(analyzer.survey, "survey_node", die)
    with open_bundle([path]) as bundle, ProcessPoolExecutor(2) as executor:
        report = analyse(bundle, Question(), lambda _: None, executor).report
    assert render_json(report) == expected


def test_a_number_of_a_hostile_pod_costs_nothing(
    bundle_paths: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "hostile"
    shutil.copytree(bundle_paths["plain"], path)
    dump = path / "cluster/pods.json"
    dump.write_text(dump.read_text().replace('"restartCount": 0', f'"restartCount": {10**30}'))
    dump.write_text(dump.read_text().replace('"status": "True"', '"status": "False"'))
    question = Question(nodes=(first_node(path),))
    assert report_of(path, 2, question=question) == report_of(path, question=question)


def test_a_worker_that_dies_early_costs_nothing_but_time(
    bundle_paths: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle_paths["stale"]
    question = Question(nodes=(first_node(path),))
    monkeypatch.setattr(analyzer.survey, "read_rules", die)
    assert report_of(path, 2, question=question) == report_of(path, question=question)


def die(_run: Run, _name: str, *_pods: object) -> Survey:
    os._exit(9)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "dask://127.0.0.1:1"])
def test_an_executor_that_is_not_there_is_wrong_usage(
    bundle_paths: dict[str, Path], address: str
) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed")
    with pytest.raises(UsageError, match="--executor"):
        report_of(bundle_paths["stale"], address=address)


@pytest.mark.parametrize(("megabytes", "processes"), [(1, False), (65, True)])
def test_a_process_of_its_own_is_for_large_nodes(
    tmp_path: Path, megabytes: int, *, processes: bool
) -> None:
    saved = tmp_path / "nodes/a/iptables-save.txt"
    saved.parent.mkdir(parents=True)
    with saved.open("wb") as file:
        file.truncate(megabytes << 20)
    with open_bundle([tmp_path]) as bundle, executor_for(bundle, None, None) as executor:
        assert (executor is not None) is processes

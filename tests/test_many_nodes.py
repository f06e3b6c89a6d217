"""A cluster of many nodes of which one was collected: what is said of a Service does not grow with the nodes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bench.generate import write_bundle
from bench.plan import Plan
from tests.command_line import svcbundle

NODES = 40


def test_a_station_shows_a_few_of_its_reasons_and_counts_the_others(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    write_bundle(Plan(services=3, endpoints=2, nodes=NODES), bundle)
    for node in sorted((bundle / "nodes").iterdir())[1:]:
        shutil.rmtree(node)
    done = svcbundle("analyze", str(bundle), "--format", "json", "--fail-on", "never", "-q")
    found = json.loads(done.out)
    rules = [s for v in found["services"] for s in v["stations"] if s["station"] == "rules"]
    assert len(rules) == len(found["services"]) > 0
    for station in rules:
        assert station["status"] == "not-evaluated"
        assert station["reason"].count("iptables-save.txt") == 5
        assert station["reason"].endswith(f"; and {NODES - 1 - 5} other reasons")
    lacking = {n["subject"] for n in found["notEvaluated"] if n["check"] == "rules-absent"}
    assert len(lacking) == NODES - 1

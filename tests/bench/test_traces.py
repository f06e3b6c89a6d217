"""The measurement of traces asks what can be answered."""

from __future__ import annotations

from pathlib import Path

from bench.generate import write_bundle
from bench.plan import Plan
from bench.traces import rates


def test_every_rate_is_measured(tmp_path: Path) -> None:
    plan = Plan(services=12, endpoints=4, nodes=2, node_port_every=3)
    write_bundle(plan, tmp_path)
    found = rates(tmp_path)
    assert min(found.first, found.further, found.foremost, found.last) > 0
    assert found.answer > 1000

"""Traces on captures of real clusters, beside what real packets did there."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.load import load
from analyzer.report.trace_json import TraceEncoder
from analyzer.tracing import run_queries


def _score(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("score", shared / "tools" / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_traces_agree_with_real_packets(shared: Path) -> None:
    score = _score(shared)
    found: Counter[str] = Counter()
    for folder in sorted((shared / "captures").iterdir()):
        truth = folder / "truth.jsonl"
        if truth.exists():
            excuse = json.loads((folder / "fault.json").read_text()).get(
                "delivered_but_refused", False
            )
            found += _verdicts(score, folder, truth, excuse)
    if not found:
        pytest.skip("no truth.jsonl beside the checkout")
    decided = found["agree"] + found["disagree"]
    assert found["agree"] >= 0.99 * decided
    assert decided >= 0.9 * found.total()


def _verdicts(score: ModuleType, folder: Path, truth: Path, excuse: bool) -> Counter[str]:
    # A connection to the API server tells no name of a backend, only that it was there.
    rows = [r for r in map(json.loads, truth.open()) if "connected" not in r["backends"]]
    asked = (
        json.dumps(
            {"from": r["from"], "to": _end(r["to_ip"], r["to_port"]), "protocol": r["protocol"]}
        )
        for r in rows
    )
    with open_bundle([folder / "bundle.tgz"]) as bundle:
        encoder = TraceEncoder(lambda _place: None)
        answers = [json.loads(encoder.line(a)) for a in run_queries(load(bundle), asked)]
    return Counter(score.agrees(r, a, excuse)[0] for r, a in zip(rows, answers, strict=True))


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

"""Every packet flow that kube-proxy's own unit tests assert, on the rules that they assert it of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.model.ruleset import Family
from analyzer.simulate.branch import Branch
from tests.simulate.lab import Result, host, packet, quoted_comments, rules, send


@pytest.mark.parametrize("version", ["v1.31.10", "v1.33.5", "v1.34.2", "v1.36.2"])
def test_agrees_with_the_flows_of_kube_proxys_unit_tests(shared: Path, version: str) -> None:
    path = shared / "realworld" / "goldens" / f"generated_iptables_{version}.json"
    if not path.exists():
        pytest.skip(f"no {path.name} beside the checkout")
    flows = list(_flows(json.loads(path.read_text())))
    wrong = [f"{flow['name']}: {seen}" for flow, seen in flows if _wanted(flow) != seen]
    assert len(flows) > 200
    assert wrong == []


def _flows(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[set[str], bool]]]:
    for case in document["flows"]:
        family = Family.IPV6 if ":" in case["flows"][0]["destIP"] else Family.IPV4
        dumps = rules(quoted_comments(case["rules"]), family)
        own = [("eth0", f"{a}/{128 if ':' in a else 32}") for a in case["nodeIPs"]]
        node = host(dumps, own)
        for flow in case["flows"]:
            protocol = (flow["protocol"] or "TCP").lower()
            sent = packet(flow["sourceIP"], flow["destIP"], flow["destPort"], protocol)
            yield flow, _seen(send(node, sent))


def _wanted(flow: dict[str, Any]) -> tuple[set[str], bool]:
    return set(flow["output"].split(", ")), flow["masq"]


def _seen(results: list[Result]) -> tuple[set[str], bool]:
    assert sum(r.chance for r in results) == pytest.approx(1)
    return {_output(r) for r in results}, any(_masqueraded(r) for r in results)


def _output(result: Result) -> str:
    match result.verdict:
        case "dropped":
            return "DROP"
        case "rejected":
            return "REJECT"
        case "local" if any(step.effect == "accept" for step in result.steps):
            return "ACCEPT"
        case _ if _connection(result).dnat:
            return result.destination
        case _:
            return ""


def _masqueraded(result: Result) -> bool:
    return _output(result) == result.destination and any(
        "KUBE-MARK-MASQ" in step.effect or step.chain == "KUBE-MARK-MASQ" for step in result.steps
    )


def _connection(result: Result) -> Any:
    way = result.way
    branch = way if isinstance(way, Branch) else way.branch
    return branch.packet.connection

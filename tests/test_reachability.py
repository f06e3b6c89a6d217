"""Connections that are equal are followed once, and what is said of the others is what following them says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from analyzer import reachability
from analyzer.bundle.reader import open_bundle
from analyzer.load import load
from analyzer.losses import Reachability
from analyzer.reachability import follow
from analyzer.simulate.trace import Simulator
from analyzer.snapshot import ClusterView
from bench.generate import write_bundle
from bench.plan import Plan

_PLAN = Plan(services=14, endpoints=4, nodes=3, node_port_every=3, affinity_every=5)
_PODS = [node.pod_range for node in _PLAN.node_list]
_FIRST = "-A FORWARD -m conntrack"
_RAW = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{}\nCOMMIT\n"
_FOREIGN = {
    "nothing that decides": ("filter", "-A FORWARD -s 192.0.2.0/24 -j DROP"),
    "pods of one node": ("filter", f"-A FORWARD -s {_PODS[1]} -j DROP"),
    "some pods": ("filter", "-A FORWARD -d 10.128.0.4/31 -p tcp -j REJECT"),
    "one pod": ("filter", "-A FORWARD -d 10.128.0.4/32 -j DROP"),
    "pods in a range": ("filter", "-A FORWARD -m iprange --dst-range 10.128.0.3-10.128.0.6 -j DROP"),
    "pods of two nodes": (
        "filter",
        f"-A FORWARD -m iprange --dst-range {_PODS[0][1]}-{_PODS[1][-1]} -j DROP",
    ),
    "answers of some pods": ("filter", "-A FORWARD -s 10.128.0.4/31 -m conntrack --ctdir REPLY -j DROP"),
    "a port of pods": ("filter", "-A FORWARD -p tcp --dport 8000:9000 -j DROP"),
    "half of everything": ("filter", "-A FORWARD -m statistic --mode random --probability 0.5 -j DROP"),
    "everything": ("filter", "-A FORWARD -j DROP"),
    "one cluster IP": ("raw", "-A PREROUTING -d 10.96.1.3/32 -j DROP"),
    "some cluster IPs": ("raw", "-A PREROUTING -d 10.96.1.4/30 -j DROP"),
    "all cluster IPs for the node": ("raw", "-A OUTPUT -d 10.96.0.0/16 -j DROP"),
    "a node port": ("raw", "-A PREROUTING -p tcp --dport 30001 -j DROP"),
    "some node ports": ("raw", "-A PREROUTING -p tcp -m multiport --dports 30002:30004 -j DROP"),
    "answers to some cluster IPs": ("filter", "-A FORWARD -m conntrack --ctorigdst 10.96.1.4/30 -j DROP"),
}  # fmt: skip


def _with_rule(directory: Path, table: str, rule: str) -> None:
    """Add a rule on the second node."""
    save = directory / "nodes" / _PLAN.node_list[1].name / "iptables-save.txt"
    text = save.read_text()
    if table == "raw":
        text += _RAW.format(rule)
    else:
        text = text.replace(_FIRST, f"{rule}\n{_FIRST}", 1)
    save.write_text(text)


def _followed(cluster: ClusterView, *, sharing: bool) -> Reachability:
    sites = [node.site for node in cluster.nodes.values()]
    return follow(Simulator(cluster.network, sharing=False), sites, sharing=sharing)


def _told(found: Reachability) -> Counter[tuple[str, ...]]:
    """Return the share of each Service's connections by what they are lost to; rules keep shares in steps of 2^-31."""
    summed: Counter[tuple[str, ...]] = Counter()
    for host, losses in found.losses.items():
        for x in losses:
            decided = (x.verdict.value, x.step.chain, x.step.text)
            key = (host, str(x.service_port), x.origin, x.destination, *decided)
            summed[key] += float(x.probability)  # type: ignore[assignment]
    return Counter({key: round(share, 6) for key, share in summed.items()})


@pytest.mark.parametrize(("table", "rule"), _FOREIGN.values(), ids=_FOREIGN.keys())
def test_equal_connections_end_alike(tmp_path: Path, table: str, rule: str) -> None:
    write_bundle(_PLAN, tmp_path)
    _with_rule(tmp_path, table, rule)
    with open_bundle([tmp_path]) as bundle:
        cluster = load(bundle)
        shared, each = (_followed(cluster, sharing=way) for way in (True, False))
    assert _told(shared) == _told(each)
    assert shared.inconclusive == each.inconclusive
    assert bool(each.losses) is not rule.startswith("-A FORWARD -s 192.0.2")


def test_a_pod_without_a_running_container_is_a_case_of_its_own(tmp_path: Path) -> None:
    write_bundle(_PLAN, tmp_path)
    _with_rule(tmp_path, *_FOREIGN["nothing that decides"])
    file = tmp_path / "cluster" / "pods.json"
    pods = json.loads(file.read_text())
    for pod in pods["items"][::7]:
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        pod["status"]["containerStatuses"] = [{"name": "web", "ready": False, "state": waiting}]
    file.write_text(json.dumps(pods))
    with open_bundle([tmp_path]) as bundle:
        cluster = load(bundle)
        shared, each = (_followed(cluster, sharing=way) for way in (True, False))
    assert _told(shared) == _told(each)
    assert each.losses


def test_no_more_is_followed_than_there_are_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(Plan(services=60, endpoints=3, nodes=3, node_port_every=2), tmp_path)
    _with_rule(tmp_path, "filter", "-A FORWARD -s 192.0.2.0/24 -j DROP")
    with open_bundle([tmp_path]) as bundle:
        cluster = load(bundle)
        monkeypatch.setattr(reachability, "MOST_WALKS", 30)
        assert _followed(cluster, sharing=True).left_out == 0
        assert _followed(cluster, sharing=False).left_out > 300


def test_what_cannot_be_told_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(services=60, endpoints=3, nodes=3)
    write_bundle(plan, tmp_path)
    _with_rule(tmp_path, "filter", "-A FORWARD -s 192.0.2.0/24 -j DROP")
    (tmp_path / "nodes" / plan.node_list[2].name / "iptables-save.txt").unlink()
    with open_bundle([tmp_path]) as bundle:
        cluster = load(bundle)
        sites = [n.site for n in cluster.nodes.values() if n.has_rules]
        monkeypatch.setattr(reachability, "MOST_WALKS", 30)
        found = follow(Simulator(cluster.network), sites)
    assert found.left_out == 0
    assert found.inconclusive

"""The packet flows that kube-proxy's own unit tests assert, looked up in the forwarding table of their rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from analyzer.model.forwarding import Action, Clients, Entry, ForwardingTable, Masquerade, Protocol
from analyzer.model.ruleset import Family
from analyzer.observe.conditions import Client
from analyzer.observe.iptables import observe_iptables
from analyzer.parse.iptables_save import parse_iptables_save

PODS = [ip_network("10.0.0.0/8"), ip_network("fd00:10::/64")]
"""The pod network of these tests."""

UNSAID = {
    "ACCEPT (NodePortHealthCheck)": "health check ports have no entry",
    "firewall accepts HealthCheckNodePort": "health check ports have no entry",
    "same node to LB1, SNATted to LB1 (implicitly allowed)": "the address itself is no range",
    "same node to LB2, SNATted to LB2 (implicitly allowed)": "the address itself is no range",
    "localhost to nodePort is ignored": "a node port's entry names no addresses",
    "secondary nodeIP ignores NodePorts": "a node port's entry names no addresses",
    "pod to NodePort with eTP:Local": "without a pod network the internal entry is the node's",
    "pod to LB with eTP:Local": "without a pod network the internal entry is the node's",
}
"""Flows about which a forwarding table says nothing, or less than the rules."""

_UNQUOTED = re.compile(r'--comment (?!")((?:(?! -[A-Za-z-]).)*)')


@pytest.mark.parametrize("version", ["v1.31.10", "v1.33.5", "v1.34.2", "v1.36.2"])
def test_the_table_agrees_with_the_flows_of_kube_proxys_unit_tests(
    shared: Path, version: str
) -> None:
    path = shared / "realworld" / "goldens" / f"generated_iptables_{version}.json"
    if not path.exists():
        pytest.skip(f"no {path.name} beside the checkout")
    flows = list(_flows(json.loads(path.read_text())))
    wrong = [
        f"{flow['name']}: {seen}"
        for flow, seen in flows
        if seen != (_sorted(flow["output"]), flow["masq"]) and flow["name"] not in UNSAID
    ]
    assert len(flows) > 200
    assert wrong == []


def _flows(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[list[str], bool]]]:
    for case in document["flows"]:
        text = _UNQUOTED.sub(lambda m: f'--comment "{m[1].strip()}"', case["rules"])
        family = Family.IPV6 if ":" in case["flows"][0]["destIP"] else Family.IPV4
        table = observe_iptables(parse_iptables_save("rules", text, family)[-1], {})
        for flow in case["flows"]:
            yield flow, _seen(table, flow, case["nodeIPs"])


def _seen(table: ForwardingTable, flow: dict[str, Any], node: list[str]) -> tuple[list[str], bool]:
    client = _client(flow["sourceIP"], node)
    for entry in _entries(table, flow, node):
        if not _is_for(entry, client, flow["sourceIP"]):
            continue
        if entry.action is not Action.FORWARD:
            return [entry.action.name], False
        output = ", ".join(str(t.endpoint) for t in entry.targets)
        return _sorted(output), _masqueraded(entry, client, flow["sourceIP"])
    return [""], False


def _client(source: str, node: list[str]) -> Client:
    if source in node or ip_address(source).is_loopback:
        return Client.NODE
    inside = any(ip_address(source) in n for n in PODS if n.version == ip_address(source).version)
    return Client.POD if inside else Client.EXTERNAL


def _entries(table: ForwardingTable, flow: dict[str, Any], node: list[str]) -> list[Entry]:
    protocol = Protocol.parse(flow["protocol"] or "TCP")
    destination = flow["destIP"]
    own = destination in node or ip_address(destination).is_loopback
    found = [
        e
        for e in table.entries
        if e.frontend.protocol is protocol
        and e.frontend.port == int(flow["destPort"])
        and (e.frontend.address == destination or (own and not e.frontend.address))
    ]
    return sorted(found, key=lambda e: not e.frontend.address)


def _is_for(entry: Entry, client: Client, source: str) -> bool:
    outside = client is Client.EXTERNAL
    if entry.clients is (Clients.INTERNAL if outside else Clients.EXTERNAL):
        return False
    ranges = entry.source_ranges
    return ranges is None or any(ip_address(source) in ip_network(r) for r in ranges)


def _masqueraded(entry: Entry, client: Client, source: str) -> bool:
    assert entry.masquerade is not None
    own = any(
        t.endpoint and t.endpoint.address == source and t.hairpin_masquerade for t in entry.targets
    )
    off_cluster = entry.masquerade is Masquerade.OFF_CLUSTER and client is not Client.POD
    return own or off_cluster or entry.masquerade is Masquerade.ALWAYS


def _sorted(output: str) -> list[str]:
    return sorted(output.split(", "))

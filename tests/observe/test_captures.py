"""Over all captures: the rules of real kube-proxies are read as what the API objects call for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.load import load
from analyzer.model.forwarding import Action, Endpoint, Frontend, FrontendKind, Protocol
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.kubernetes import EndpointSlice, Service, ServicePort
from analyzer.model.ruleset import Family
from analyzer.observe.chains import chain_graph
from analyzer.observe.iptables import observe_iptables
from analyzer.snapshot import ClusterView


def _opened(folder: Path) -> Iterator[ClusterView]:
    with open_bundle([folder / "bundle.tgz"]) as bundle:
        yield load(bundle)


def _captures(shared: Path) -> list[Path]:
    """Return the captures of whole clusters."""
    found = sorted(f.parent for f in (shared / "captures").glob("*/bundle.tgz"))
    return [f for f in found if not f.name.startswith("scale")]


def test_mode_and_version_of_every_kube_proxy_are_told(shared: Path) -> None:
    told = 0
    for folder in _captures(shared):
        truth = json.loads((folder / "fault.json").read_text())
        for cluster in _opened(folder):
            for node in cluster.nodes.values():
                if node.collected:
                    proxy = node.kube_proxy
                    assert proxy.mode.value == truth["kube_proxy_mode"], (folder.name, node.name)
                    assert proxy.version.exact == truth["kube_proxy_version"], folder.name
                    assert proxy.options.cluster_cidrs[0] == "10.244.0.0/16"
                    told += 1
    assert told > 90


def test_cluster_ips_of_healthy_nodes_have_all_ready_endpoints_with_equal_shares(
    shared: Path,
) -> None:
    compared = 0
    for folder in sorted((shared / "captures").glob("healthy*")):
        for cluster in _opened(folder):
            for node in cluster.nodes.values():
                if node.kube_proxy.mode is not ProxyMode.IPTABLES:
                    continue
                table = node.observed()
                assert table is not None
                for frontend, endpoints in _declared(cluster):
                    (entry,) = table.by_frontend[frontend]
                    assert entry.endpoints == endpoints, frontend
                    assert entry.action is (Action.FORWARD if endpoints else Action.REJECT)
                    assert all(
                        t.share == pytest.approx(1 / len(endpoints), abs=1e-5)
                        for t in entry.targets
                    )
                    compared += 1
    assert compared > 150


def _declared(cluster: ClusterView) -> Iterator[tuple[Frontend, frozenset[Endpoint]]]:
    """Yield IPv4 cluster IPs with their ready endpoints, read straight from the slices."""
    for service in cluster.services.values():
        if service.spec.internal_traffic_policy == "Local":
            continue
        for address in (a for a in service.cluster_ips if ":" not in a):
            for port in service.ports:
                protocol = Protocol[port.protocol]
                frontend = Frontend(FrontendKind.CLUSTER_IP, address, protocol, port.port)
                yield frontend, _ready(service, port, cluster.slices.get(service.key, ()))


def _ready(
    service: Service, port: ServicePort, slices: tuple[EndpointSlice, ...]
) -> frozenset[Endpoint]:
    del service
    return frozenset(
        Endpoint(address, published.port)
        for s in slices
        if s.address_type == "IPv4"
        for published in s.ports or ()
        if (published.name or "") == port.name and published.port is not None
        for endpoint in s.endpoints or ()
        if endpoint.ready
        for address in endpoint.addresses or ()
    )


def test_no_capture_has_jumps_into_nothing_and_only_the_damaged_one_an_empty_chain(
    shared: Path,
) -> None:
    empty = {}
    for folder in _captures(shared):
        for cluster in _opened(folder):
            for node in cluster.nodes.values():
                for ruleset in (*node.rulesets(), *node.rulesets(Family.IPV6)):
                    graph = chain_graph(ruleset)
                    assert graph.dangling == ()
                    if graph.empty:
                        empty[folder.name, node.name] = len(graph.empty)
    assert empty == {("sep-chain-empty-node-b", "node-b"): 1}


def test_two_thousand_services_of_ten_endpoints_are_all_read(shared: Path) -> None:
    for cluster in _opened(shared / "captures" / "scale-2000x10"):
        node = cluster.nodes["node-a"]
        assert node.kube_proxy.large_cluster
        (ruleset,) = node.rulesets()
        table = observe_iptables(ruleset, {})
        entries = [e for e in table.entries if len(e.targets) == 10]
        assert len(entries) >= 2000
        assert all(
            e.service_port is not None and t.share == pytest.approx(0.1, abs=1e-6)
            for e in entries
            for t in e.targets
        )

"""Over all captures: what is derived from API objects is what real controllers and kube-proxies did."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.expect.cluster_dns import dns_addresses, dns_services, kubelet_dns
from analyzer.expect.endpoints import selects
from analyzer.expect.publication import (
    CalledPorts,
    differences_from_endpoints,
    differences_from_slices,
)
from analyzer.expect.resolv_conf import compare_resolv_conf, expected_resolv_conf
from analyzer.model.chain_names import service_suffix
from analyzer.model.forwarding import (
    Action,
    Entry,
    ForwardingTable,
    Protocol,
    ServicePortName,
)
from analyzer.model.kubernetes import Service
from analyzer.model.ruleset import Family
from analyzer.observe.iptables import observe_iptables
from analyzer.parse.iptables_save import parse_iptables_save
from analyzer.parse.resolv_conf import parse_resolv_conf
from tests.expect.builders import kube_proxy
from tests.expect.captured import Captured, captured

CIDRS = ("10.244.0.0/16", "fd00:10:244::/56")
DUMPS = {Family.IPV4: "iptables-save.txt", Family.IPV6: "ip6tables-save.txt"}


def clusters(shared: Path, pattern: str = "*") -> list[Captured]:
    folders = sorted((shared / "captures").glob(f"{pattern}/bundle.tgz"))
    return [captured(f.parent) for f in folders if "scale" not in f.parent.name]


def test_published_endpoints_are_those_that_the_pods_call_for(shared: Path) -> None:
    compared = 0
    for cluster in clusters(shared):
        nodes = {n.name for n in cluster.nodes}
        for service in cluster.services:
            slices = cluster.slices.get(service.key, ())
            called = CalledPorts(service, [p for p in cluster.pods if selects(service, p)])
            assert differences_from_slices(called, slices, nodes) == ()
            published = cluster.endpoints.get(service.key)
            assert differences_from_endpoints(called, published) == ()
            compared += 1
    assert compared > 500


@pytest.mark.parametrize("known", [True, False], ids=["version known", "version unknown"])
def test_rules_of_healthy_nodes_are_those_that_are_expected(shared: Path, known: bool) -> None:
    compared = 0
    for cluster in clusters(shared, "healthy*"):
        if cluster.truth["kube_proxy_mode"] != "iptables":
            continue
        proxy = kube_proxy("?")
        if known:
            proxy = kube_proxy(cluster.truth["kube_proxy_version"], cluster_cidrs=CIDRS)
        owners = chain_owners(cluster.services)
        for node in cluster.nodes:
            for family, file in DUMPS.items():
                text = cluster.read(f"nodes/{node.name}/{file}")
                if text is None:
                    continue
                expected = cluster.plan(proxy).table(
                    family=family, node=node, node_name=node.name, proxy=proxy
                )
                dump = parse_iptables_save(file, text, family)[-1]
                observed = observe_iptables(dump, owners, expected.by_frontend)
                compare(expected, observed)
                compared += len(expected.entries)
    assert compared > 250


def compare(expected: ForwardingTable, observed: ForwardingTable) -> None:
    for entry in expected.entries:
        found = observed.counterparts(entry)
        assert found or entry.optional, entry
        for other in found[:1]:
            same(entry, other)
    for entry in observed.entries:
        assert expected.counterparts(entry), entry


def same(expected: Entry, observed: Entry) -> None:
    assert observed.clients is expected.clients
    assert observed.action in expected.allowed_actions
    assert observed.service_port == expected.service_port
    if observed.action is Action.FORWARD:
        assert expected.required_endpoints <= observed.endpoints <= expected.allowed_endpoints
        assert observed.affinity_seconds == expected.affinity_seconds
        assert set(observed.source_ranges or ()) == set(expected.source_ranges or ())
        assert expected.masquerade in {None, observed.masquerade}


def chain_owners(services: tuple[Service, ...]) -> dict[str, ServicePortName]:
    return {
        service_suffix(name, Protocol[port.protocol], colon=colon): name
        for service in services
        for port in service.ports
        for name in [ServicePortName(service.key, port.name)]
        for colon in (True, False)
    }


def test_resolv_conf_of_pods_is_as_the_kubelet_writes_it(shared: Path) -> None:
    compared = 0
    wrong = set()
    for cluster in clusters(shared):
        answering = dns_services(cluster.services, cluster.pods)
        addresses = dns_addresses(answering, cluster.config_maps, cluster.pods)
        domain = kubelet_dns().cluster_domain or "cluster.local"
        pods = {p.full_name: p for p in cluster.pods}
        for path in (p for p in cluster.paths if p.startswith("pods/")):
            _, namespace, name, _ = path.split("/")
            pod = pods[f"{namespace}/{name}"]
            actual = parse_resolv_conf(path, cluster.read(path) or "").value
            expected = expected_resolv_conf(pod, addresses, domain, None)
            compared += 1
            if not compare_resolv_conf(expected, actual, pod, addresses).none:
                wrong.add((cluster.truth["scenario"], name))
    assert compared > 500
    assert wrong == {("dns-wrong-nameserver", f"toolbox-{x}") for x in "abc"}

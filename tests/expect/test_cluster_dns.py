"""The cluster's DNS is found by its Services, its caches and the kubelets' settings."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from analyzer.expect.cluster_dns import (
    answers_beside_the_cluster,
    dns_addresses,
    dns_services,
    kubelet_dns,
    node_local_addresses,
)
from analyzer.model.kubernetes import ConfigMap, Pod, Service
from analyzer.model.node import Document, Process
from analyzer.model.source import ObjectRef, SourceRef
from tests.expect.builders import pod, service

DNS_PORT = {"name": "dns", "port": 53, "protocol": "UDP"}
COREDNS = pod(
    "coredns-1",
    "10.244.0.53",
    namespace="kube-system",
    labels={"k8s-app": "kube-dns"},
    containers=[
        {"name": "metrics", "image": "example.com/coredns/exporter:v1"},
        {"name": "dns", "image": "registry.k8s.io/coredns/coredns:v1.11.1"},
    ],
)


def dns_service(name: str, namespace: str = "kube-system", **changes: Any) -> Service:
    defaults = {"clusterIP": "10.96.0.10", "selector": {"k8s-app": "kube-dns"}, "ports": [DNS_PORT]}
    return service(name, namespace=namespace, **defaults | changes)


@pytest.mark.parametrize(
    ("found", "is_dns"),
    [
        pytest.param(dns_service("kube-dns"), True, id="kube-dns"),
        pytest.param(dns_service("kube-dns", ports=[]), True, id="kube-dns whatever its ports"),
        pytest.param(dns_service("dns-default", "openshift-dns"), True, id="OpenShift"),
        pytest.param(dns_service("rke2-coredns-rke2-coredns"), True, id="RKE2"),
        pytest.param(
            dns_service("x", selector={}, labels={"k8s-app": "kube-dns"}), True, id="by label"
        ),
        pytest.param(dns_service("my-dns"), True, id="by the pods behind it"),
        pytest.param(dns_service("my-dns", selector={"app": "x"}), False, id="other pods"),
        pytest.param(
            dns_service("my-dns", ports=[{"port": 53, "protocol": "TCP"}]), False, id="only TCP"
        ),
        pytest.param(dns_service("metrics", ports=[{"port": 9153}]), False, id="another port"),
        pytest.param(dns_service("kube-dns", "shop"), False, id="another namespace"),
    ],
)
def test_which_services_are_dns(found: Service, is_dns: bool) -> None:
    bystander = pod("x-1", namespace="kube-system", labels={"k8s-app": "kube-dns"})
    assert (found in dns_services([found], [bystander, COREDNS])) is is_dns


def config_map(name: str, corefile: str) -> ConfigMap:
    return msgspec.convert({"metadata": {"name": name}, "data": {"Corefile": corefile}}, ConfigMap)


def cache(*args: str) -> Pod:
    container = {"name": "node-cache", "args": list(args)}
    return pod(labels={"k8s-app": "node-local-dns"}, containers=[container])


@pytest.mark.parametrize(
    ("config_maps", "pods", "addresses"),
    [
        pytest.param([], [COREDNS], (), id="no cache"),
        pytest.param([], [cache()], ("169.254.20.10",), id="a cache that does not say"),
        pytest.param(
            [config_map("nodelocaldns", ". {\n bind 169.254.25.10\n}")],
            [],
            ("169.254.25.10",),
            id="bind",
        ),
        pytest.param(
            [config_map("node-local-dns", ". {\n bind __PILLAR__LOCAL__DNS__\n}")],
            [],
            ("169.254.20.10",),
            id="a placeholder",
        ),
        pytest.param(
            [],
            [cache("-localip", "169.254.9.9,10.96.0.10")],
            ("169.254.9.9", "10.96.0.10"),
            id="flag",
        ),
        pytest.param([], [cache("--localip=169.254.9.9")], ("169.254.9.9",), id="flag with ="),
        pytest.param(
            [config_map("coredns", ". {\n bind 10.0.0.1\n}")], [], (), id="CoreDNS itself"
        ),
    ],
)
def test_node_local_dns(
    config_maps: list[ConfigMap], pods: list[Pod], addresses: tuple[str, ...]
) -> None:
    assert node_local_addresses(config_maps, pods) == addresses


def test_addresses_at_which_pods_may_ask() -> None:
    both = dns_service("kube-dns", clusterIPs=["10.96.0.10", "fd00:0::a"])
    headless = dns_service("coredns", clusterIP="None", clusterIPs=["None"])
    assert dns_addresses([both], [], [COREDNS, cache()]) == (
        "10.96.0.10",
        "fd00::a",
        "169.254.20.10",
    )
    assert dns_addresses([headless], [], [COREDNS]) == ("10.244.0.53",)
    assert dns_addresses([], [], []) == ()


def test_a_service_that_is_asked_for_names_is_dns_whatever_its_name_and_namespace() -> None:
    found = dns_service("resolver", "names", selector={}, clusterIPs=["10.96.0.77", "fd00::77"])
    assert dns_services([found], [], {"10.96.0.10"}) == ()
    assert dns_services([found], [], {"fd00::77"}) == (found,)
    other = dns_service("web", "names", clusterIP="10.96.0.77", ports=[{"port": 80}])
    assert dns_services([other], [], {"10.96.0.77"}) == ()


@pytest.mark.parametrize(
    ("address", "own", "provider", "answers"),
    [
        pytest.param("169.254.20.10", {"169.254.20.10"}, "", True, id="on an interface"),
        pytest.param("169.254.10.11", {"10.0.0.4"}, "", False, id="on none"),
        pytest.param("169.254.20.10", None, "", False, id="NodeLocal DNSCache that is not there"),
        pytest.param("169.254.10.11", None, "azure:///x", None, id="interfaces unknown"),
        pytest.param("169.254.169.254", {"10.0.0.4"}, "gce://p/z/n", True, id="Cloud DNS for GKE"),
        pytest.param("169.254.169.254", {"10.0.0.4"}, "aws:///z/i", False, id="not Google"),
        pytest.param("10.96.0.10", {"10.96.0.10"}, "", False, id="not link-local"),
        pytest.param("resolver", None, "", False, id="no address"),
    ],
)
def test_which_link_local_nameservers_answer_beside_the_cluster(
    address: str, own: set[str] | None, provider: str, answers: bool | None
) -> None:
    assert answers_beside_the_cluster(address, own, provider) is answers


CONFIGZ = ObjectRef("nodes/a/kubelet-configz.json", -1)
CONFIG = ObjectRef("cluster/configmaps.json", 3, ("data", "kubelet"))
PS = SourceRef("nodes/a/processes.txt", 2)


def configz(**settings: Any) -> Document:
    return Document({"kubeletconfig": settings}, CONFIGZ)


def kubelet(**flags: str) -> Process:
    return Process("kubelet", {k.replace("_", "-"): v for k, v in flags.items()}, (), PS)


def config(**settings: Any) -> Document:
    return Document(settings, CONFIG)


def test_what_a_kubelet_says_itself_decides_over_flags_and_files() -> None:
    found = kubelet_dns(
        configz=configz(clusterDNS=["10.96.0.10"], clusterDomain="a.local.", resolvConf="/run/x"),
        processes=[kubelet(cluster_dns="10.0.0.1", cluster_domain="b.local")],
        config=config(clusterDNS=["10.0.0.2"], clusterDomain="c.local"),
    )
    assert (found.cluster_dns, found.cluster_dns_source) == (
        ("10.96.0.10",),
        CONFIGZ.at("kubeletconfig", "clusterDNS"),
    )
    assert (found.cluster_domain, found.cluster_domain_source) == (
        "a.local",
        CONFIGZ.at("kubeletconfig", "clusterDomain"),
    )
    assert found.resolv_conf == "/run/x"


def test_flags_decide_over_the_file_for_each_setting() -> None:
    found = kubelet_dns(
        processes=[kubelet(cluster_dns="10.0.0.1, fd00::1")],
        config=config(clusterDNS=["10.0.0.2"], clusterDomain="c.local"),
    )
    assert (found.cluster_dns, found.cluster_dns_source) == (("10.0.0.1", "fd00::1"), PS)
    assert (found.cluster_domain, found.cluster_domain_source) == (
        "c.local",
        CONFIG.at("clusterDomain"),
    )


def test_only_the_kubelet_itself_can_say_that_it_has_no_cluster_dns() -> None:
    assert kubelet_dns(configz=configz()).cluster_dns == ()
    assert kubelet_dns(configz=Document({}, CONFIGZ)).cluster_dns is None
    assert kubelet_dns(config=config(), processes=[kubelet()]).cluster_dns is None
    assert kubelet_dns().cluster_dns_source is None


@pytest.mark.parametrize("odd", ["10.96.0.10", {"a": 1}, [1, None], None])
def test_settings_of_another_type_are_no_settings(odd: Any) -> None:
    assert not kubelet_dns(config=config(clusterDNS=odd, clusterDomain=odd)).cluster_dns

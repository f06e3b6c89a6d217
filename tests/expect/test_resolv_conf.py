"""A pod's resolv.conf is derived as the kubelet writes it (facts D.3)."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.expect.resolv_conf import (
    LEGACY_LIMITS,
    DNSOrigin,
    compare_resolv_conf,
    expected_resolv_conf,
)
from analyzer.model.node import ResolvConf
from analyzer.model.source import SourceRef
from tests.expect.builders import pod

DNS = ("10.96.0.10",)
CLUSTER = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local")


def resolv(
    *nameservers: str, search: tuple[str, ...] = (), options: dict[str, str] | None = None
) -> ResolvConf:
    lines = tuple((ip, SourceRef("resolv.conf", n)) for n, ip in enumerate(nameservers, 1))
    return ResolvConf(lines, search, None, options or {}, None)


NODE = resolv("192.168.0.1", search=("example.com",), options={"timeout": "1"})


@pytest.mark.parametrize(
    ("spec", "cluster_dns", "origin"),
    [
        pytest.param({}, DNS, DNSOrigin.CLUSTER, id="ClusterFirst is the default"),
        pytest.param({"hostNetwork": True}, DNS, DNSOrigin.NODE_FOR_HOST_NETWORK, id="host"),
        pytest.param(
            {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"},
            DNS,
            DNSOrigin.CLUSTER,
            id="ClusterFirstWithHostNet",
        ),
        pytest.param({"dnsPolicy": "Default"}, DNS, DNSOrigin.NODE, id="Default"),
        pytest.param({"dnsPolicy": "None"}, DNS, DNSOrigin.POD, id="None"),
        pytest.param({}, (), DNSOrigin.NODE_WITHOUT_CLUSTER_DNS, id="no clusterDNS"),
        pytest.param({}, None, DNSOrigin.CLUSTER, id="clusterDNS not known"),
        pytest.param({"dnsPolicy": "Odd"}, DNS, DNSOrigin.CLUSTER, id="unknown policy"),
    ],
)
def test_origin(
    spec: dict[str, Any], cluster_dns: tuple[str, ...] | None, origin: DNSOrigin
) -> None:
    found = expected_resolv_conf(pod(**spec), cluster_dns, "cluster.local", NODE)
    assert found.origin is origin


def test_cluster_first() -> None:
    found = expected_resolv_conf(pod(), DNS, "cluster.local", NODE)
    assert found.nameservers == DNS
    assert found.cluster_search == CLUSTER
    assert found.search == (*CLUSTER, "example.com")
    assert (found.options, found.ndots) == ({"ndots": "5"}, 5)


def test_the_nodes_file() -> None:
    found = expected_resolv_conf(pod(dnsPolicy="Default"), DNS, "cluster.local", NODE)
    assert found.nameservers == ("192.168.0.1",)
    assert (found.cluster_search, found.search) == ((), ("example.com",))
    assert (found.options, found.ndots) == ({"timeout": "1"}, 1)


@pytest.mark.parametrize(
    "node_file",
    [pytest.param(None, id="absent"), pytest.param(resolv("127.0.0.53", "8.8.8.8"), id="a stub")],
)
def test_a_nodes_file_that_is_not_known_leaves_nameservers_open(
    node_file: ResolvConf | None,
) -> None:
    found = expected_resolv_conf(pod(dnsPolicy="Default"), DNS, "cluster.local", node_file)
    assert found.nameservers is None


def test_without_the_nodes_file_the_clusters_part_is_certain() -> None:
    found = expected_resolv_conf(pod(), DNS, "cluster.local", None)
    assert (found.cluster_search, found.search) == (CLUSTER, None)


def test_without_a_cluster_domain_there_is_no_search_for_services() -> None:
    found = expected_resolv_conf(pod(), DNS, "", NODE)
    assert (found.cluster_search, found.search) == ((), ("example.com",))


DNS_CONFIG = {
    "nameservers": ["10.96.0.10", "1.1.1.1"],
    "searches": ["cluster.local", "corp.example"],
    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
}


def test_dns_config_is_added_without_duplicates_and_overrides_options() -> None:
    found = expected_resolv_conf(pod(dnsConfig=DNS_CONFIG), DNS, "cluster.local", NODE)
    assert found.nameservers == ("10.96.0.10", "1.1.1.1")
    assert found.search == (*CLUSTER, "example.com", "corp.example")
    assert found.options == {"ndots": "2", "edns0": ""}


def test_dns_policy_none_leaves_only_dns_config() -> None:
    spec = {"dnsPolicy": "None", "dnsConfig": DNS_CONFIG}
    found = expected_resolv_conf(pod(**spec), DNS, "cluster.local", NODE)
    assert found.nameservers == ("10.96.0.10", "1.1.1.1")
    assert found.search == ("cluster.local", "corp.example")


def test_what_is_beyond_the_limits_is_left_out() -> None:
    many = {"nameservers": ["1.1.1.1", "2.2.2.2", "3.3.3.3"], "searches": list("abcd")}
    found = expected_resolv_conf(pod(dnsConfig=many), DNS, "cluster.local", resolv(), LEGACY_LIMITS)
    assert found.nameservers == ("10.96.0.10", "1.1.1.1", "2.2.2.2")
    assert found.omitted_nameservers == ("3.3.3.3",)
    assert found.search == (*CLUSTER, "a", "b", "c")
    assert found.omitted_search == ("d",)


def test_the_search_line_has_a_length_limit() -> None:
    long = {"searches": ["x" * 250]}
    found = expected_resolv_conf(pod(dnsConfig=long), DNS, "cluster.local", resolv(), LEGACY_LIMITS)
    assert found.search == CLUSTER
    assert (
        expected_resolv_conf(pod(dnsConfig=long), DNS, "cluster.local", resolv()).omitted_search
        == ()
    )


def test_newer_kubelets_write_32_search_domains() -> None:
    many = {"searches": [f"d{n}" for n in range(30)]}
    found = expected_resolv_conf(pod(dnsConfig=many), DNS, "cluster.local", resolv())
    assert found.omitted_search == ("d29",)


GOOD = resolv("10.96.0.10", search=CLUSTER, options={"ndots": "5"})


@pytest.mark.parametrize(
    ("actual", "wrong", "missing", "low"),
    [
        pytest.param(GOOD, [], (), False, id="right"),
        pytest.param(
            resolv(
                "169.254.20.10", search=("Cluster.local.", *CLUSTER[:2]), options={"ndots": "7"}
            ),
            [],
            (),
            False,
            id="node-local DNS, another order, closing dot, more dots",
        ),
        pytest.param(
            resolv("10.96.0.100", search=CLUSTER, options={"ndots": "5"}),
            ["10.96.0.100"],
            (),
            False,
            id="another nameserver",
        ),
        pytest.param(
            resolv("10.96.0.10", search=("shop.svc.cluster.local",), options={"ndots": "5"}),
            [],
            ("svc.cluster.local", "cluster.local"),
            False,
            id="search is incomplete",
        ),
        pytest.param(resolv("10.96.0.10", search=CLUSTER), [], (), True, id="no ndots"),
    ],
)
def test_differences(
    actual: ResolvConf, wrong: list[str], missing: tuple[str, ...], low: bool
) -> None:
    expected = expected_resolv_conf(pod(), DNS, "cluster.local", None)
    found = compare_resolv_conf(expected, actual, pod(), (*DNS, "169.254.20.10"))
    assert [ip for ip, _ in found.wrong_nameservers] == wrong
    assert (found.missing_search, found.low_ndots) == (missing, low)
    assert found.none is not bool(wrong or missing or low)


def test_nameservers_of_the_pods_own_config_are_right() -> None:
    configured = pod(dnsConfig={"nameservers": ["1.1.1.1"]})
    expected = expected_resolv_conf(configured, DNS, "cluster.local", None)
    actual = resolv("10.96.0.10", "1.1.1.1", search=CLUSTER, options={"ndots": "5"})
    assert compare_resolv_conf(expected, actual, configured, DNS).none


def test_a_pod_that_does_not_use_the_clusters_dns_has_nothing_wrong() -> None:
    other = pod(dnsPolicy="Default")
    expected = expected_resolv_conf(other, DNS, "cluster.local", NODE)
    assert compare_resolv_conf(expected, resolv("8.8.8.8"), other, DNS).none

"""The table that kube-proxy should make of Services and slices."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.expect.forwarding import ForwardingPlan
from analyzer.model.forwarding import (
    Action,
    Clients,
    Entry,
    ForwardingTable,
    FrontendKind,
    Masquerade,
)
from analyzer.model.kube_proxy import DetectLocal, KubeProxy, ProxyMode
from analyzer.model.kubernetes import EndpointSlice, Service
from analyzer.model.ruleset import Family
from analyzer.model.source import ObjectRef
from tests.expect.builders import HTTP, endpoint, endpoint_slice, kube_proxy, node, service, table

NODE_PORT = {"type": "NodePort", "ports": [HTTP | {"nodePort": 30080}]}
BALANCER = NODE_PORT | {
    "type": "LoadBalancer",
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5", "ipMode": "VIP"}]}},
}
LOCAL = {"externalTrafficPolicy": "Local"}
ON_A = endpoint("10.244.0.1", "a")
ON_B = endpoint("10.244.1.1", "b")
DUAL = {"ipFamilies": ["IPv4", "IPv6"], "clusterIPs": ["10.96.0.5", "fd00:96::5"]}


def shown(found: ForwardingTable) -> list[str]:
    return [line(e) for e in found.entries]


def line(entry: Entry) -> str:
    """`node port 30080/TCP internal: forward 10.244.0.1:8080, masqueraded clients outside the pod network`."""
    clients = "" if entry.clients is Clients.ALL else f" {entry.clients.name.lower()}"
    ends = " ".join(str(t.endpoint) for t in entry.targets)
    action = f"{entry.action.value} {ends}".strip()
    masquerade = f" {entry.masquerade.name.lower()}" if entry.masquerade else ""
    return f"{entry.frontend}{clients}: {action}{masquerade}" + (" ?" if entry.optional else "")


def of(
    changes: dict[str, Any], *endpoints: dict[str, Any], proxy: KubeProxy | None = None, **on: Any
) -> list[str]:
    slices = (endpoint_slice(*endpoints),)
    return shown(table((service(**changes),), slices, proxy or kube_proxy(), **on))


def test_a_cluster_ip_is_shared_by_all_ready_endpoints() -> None:
    unready = endpoint("10.244.0.9", ready=False)
    found = table((service(),), (endpoint_slice(ON_A, ON_B, unready),), kube_proxy())
    (entry,) = found.entries
    assert line(entry) == (
        "cluster IP 10.96.0.5:80/TCP: forward 10.244.0.1:8080 10.244.1.1:8080 off_cluster"
    )
    assert [t.share for t in entry.targets] == [0.5, 0.5]
    assert str(entry.service_port) == "shop/web:http"
    assert entry.source == ObjectRef("cluster/services.json", 0, ("spec", "ports", 0))
    assert entry.targets[1].source == ObjectRef(
        "cluster/endpointslices.json", 0, ("endpoints", 1, "addresses", 0)
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, ["cluster IP 10.96.0.5:80/TCP: reject"], id="no endpoints"),
        pytest.param(
            NODE_PORT | LOCAL,
            ["cluster IP 10.96.0.5:80/TCP: reject", "node port 30080/TCP: reject"],
            id="no endpoints under a Local policy",
        ),
        pytest.param({"clusterIP": "None"}, [], id="headless"),
        pytest.param({"labels": {"service.kubernetes.io/service-proxy-name": "x"}}, [], id="other"),
        pytest.param({"ports": []}, [], id="no ports"),
        pytest.param({"ports": [HTTP | {"protocol": "QUIC"}]}, [], id="unknown protocol"),
        pytest.param({"clusterIP": "***HIDDEN***"}, [], id="redacted"),
    ],
)
def test_without_endpoints_or_without_kube_proxy(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert of(changes) == expected


@pytest.mark.parametrize(
    ("name", "port_name", "protocol", "served"),
    [
        pytest.param("http", "http", "TCP", True, id="equal"),
        pytest.param("", "", "TCP", True, id="both unnamed"),
        pytest.param("http", "web", "TCP", False, id="another name"),
        pytest.param("http", "", "TCP", False, id="unnamed endpoint port"),
        pytest.param("http", "http", "UDP", False, id="another protocol"),
    ],
)
def test_ports_are_joined_by_name_and_protocol(
    name: str, port_name: str, protocol: str, served: bool
) -> None:
    ports = [{"name": port_name, "port": 8080, "protocol": protocol}]
    found = table(
        (service(ports=[HTTP | {"name": name}]),),
        (endpoint_slice(ON_A, ports=ports),),
        kube_proxy(),
    )
    assert (found.entries[0].action is Action.FORWARD) is served


def test_every_sort_of_address_is_served() -> None:
    changes = BALANCER | {"externalIPs": ["198.51.100.5", "198.51.100.5", "fd00::5"]}
    assert of(changes, ON_B) == [
        "cluster IP 10.96.0.5:80/TCP: forward 10.244.1.1:8080 off_cluster",
        "node port 30080/TCP: forward 10.244.1.1:8080 always",
        "external IP 198.51.100.5:80/TCP: forward 10.244.1.1:8080 always",
        "load-balancer IP 203.0.113.5:80/TCP: forward 10.244.1.1:8080 always",
    ]


@pytest.mark.parametrize(
    ("version", "endpoints", "options", "expected"),
    [
        pytest.param(
            "1.30",
            (ON_A, ON_B),
            {},
            [
                "node port 30080/TCP internal: forward 10.244.0.1:8080 10.244.1.1:8080 off_cluster",
                "node port 30080/TCP external: forward 10.244.0.1:8080 never",
            ],
            id="a local endpoint",
        ),
        pytest.param(
            "1.30",
            (ON_B,),
            {},
            [
                "node port 30080/TCP internal: forward 10.244.1.1:8080 off_cluster",
                "node port 30080/TCP external: drop",
            ],
            id="no local endpoint",
        ),
        pytest.param(
            "1.30",
            (ON_B,),
            {"detect_local": DetectLocal.NONE},
            [
                "node port 30080/TCP internal: forward 10.244.1.1:8080 off_cluster",
                "node port 30080/TCP external: drop",
            ],
            id="without a pod network the node itself is still internal",
        ),
        pytest.param(
            "1.14",
            (ON_B,),
            {},
            [
                "node port 30080/TCP internal: forward 10.244.1.1:8080",
                "node port 30080/TCP external: drop",
            ],
            id="1.14 tells pods apart",
        ),
        pytest.param(
            "1.14",
            (ON_B,),
            {"detect_local": DetectLocal.NONE},
            ["node port 30080/TCP: drop"],
            id="1.14 without a pod network tells nobody apart",
        ),
        pytest.param(
            "1.14",
            (ON_B,),
            {"detect_local": None},
            [
                "node port 30080/TCP internal: forward 10.244.1.1:8080 ?",
                "node port 30080/TCP external: drop",
            ],
            id="1.14 with options that were not read",
        ),
    ],
)
def test_external_traffic_policy_local(
    version: str,
    endpoints: tuple[dict[str, Any], ...],
    options: dict[str, Any],
    expected: list[str],
) -> None:
    found = of(NODE_PORT | LOCAL, *endpoints, proxy=kube_proxy(version, **options))
    assert found[1:] == expected


def test_internal_traffic_policy_local_leaves_the_node_port_alone() -> None:
    found = of(NODE_PORT | {"internalTrafficPolicy": "Local"}, ON_B)
    assert found == [
        "cluster IP 10.96.0.5:80/TCP: drop",
        "node port 30080/TCP: forward 10.244.1.1:8080 always",
    ]


@pytest.mark.parametrize(
    ("options", "masquerade"),
    [
        pytest.param({}, Masquerade.OFF_CLUSTER, id="cluster CIDR"),
        pytest.param({"masquerade_all": True}, Masquerade.ALWAYS, id="masqueradeAll"),
        pytest.param({"cluster_cidrs": ()}, Masquerade.NEVER, id="no CIDR"),
        pytest.param({"cluster_cidrs": ("fd00::/48",)}, Masquerade.NEVER, id="of another family"),
        pytest.param({"detect_local": DetectLocal.NONE}, Masquerade.NEVER, id="none"),
        pytest.param(
            {"detect_local": DetectLocal.BRIDGE_INTERFACE}, Masquerade.OFF_CLUSTER, id="bridge"
        ),
        pytest.param(
            {"detect_local": DetectLocal.NODE_CIDR},
            Masquerade.OFF_CLUSTER,
            id="pod CIDR of the node",
        ),
        pytest.param({"detect_local": None}, None, id="not read"),
    ],
)
def test_masquerade_of_cluster_ips(options: dict[str, Any], masquerade: Masquerade | None) -> None:
    found = table((service(),), (endpoint_slice(ON_A),), kube_proxy(**options), on=node())
    assert found.entries[0].masquerade is masquerade


@pytest.mark.parametrize(
    ("version", "masquerade"),
    [
        ("1.18", Masquerade.ALWAYS),
        ("1.19", None),
        ("1.23", None),
        ("1.24", Masquerade.ALWAYS),
        ("?", None),
    ],
)
def test_masquerade_of_external_ips(version: str, masquerade: Masquerade | None) -> None:
    changes = {"externalIPs": ["198.51.100.5"]}
    found = table((service(**changes),), (endpoint_slice(ON_A),), kube_proxy(version))
    assert found.entries[1].masquerade is masquerade


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (
            "1.17",
            ["external IP 198.51.100.5:80/TCP: forward 10.244.0.1:8080 10.244.1.1:8080 always"],
        ),
        (
            "1.30",
            [
                "external IP 198.51.100.5:80/TCP internal: forward 10.244.0.1:8080 10.244.1.1:8080 off_cluster",
                "external IP 198.51.100.5:80/TCP external: forward 10.244.0.1:8080 never",
            ],
        ),
    ],
)
def test_a_local_policy_holds_for_external_ips_from_1_19_on(
    version: str, expected: list[str]
) -> None:
    changes = NODE_PORT | LOCAL | {"externalIPs": ["198.51.100.5"]}
    found = of(changes, ON_A, ON_B, proxy=kube_proxy(version))
    assert [e for e in found if e.startswith("external")] == expected


def test_whether_a_policy_holds_for_a_cluster_ip_service_depends_on_the_version() -> None:
    changes = LOCAL | {"externalIPs": ["198.51.100.5"]}
    found = table((service(**changes),), (endpoint_slice(ON_A, ON_B),), kube_proxy())
    external = found.entries[-1]
    assert external.clients is Clients.EXTERNAL
    assert {e.address for e in external.required_endpoints} == {"10.244.0.1"}
    assert {e.address for e in external.allowed_endpoints} == {"10.244.0.1", "10.244.1.1"}
    assert external.masquerade is None


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        (None, 10_800),
        ({"clientIP": {"timeoutSeconds": None}}, 10_800),
        ({"clientIP": {"timeoutSeconds": 60}}, 60),
    ],
)
def test_session_affinity(config: dict[str, Any] | None, seconds: int) -> None:
    sticky = service(sessionAffinity="ClientIP", sessionAffinityConfig=config)
    assert (
        table((sticky,), (endpoint_slice(ON_A),), kube_proxy()).entries[0].affinity_seconds
        == seconds
    )
    assert table((sticky,), (), kube_proxy()).entries[0].affinity_seconds is None


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        pytest.param(None, None, id="none"),
        pytest.param([" 192.0.2.77/24 ", "fd00::/8"], ("192.0.2.0/24",), id="of the family"),
        pytest.param(["fd00::/8"], None, id="only of the other family"),
        pytest.param(["0.0.0.0/0", "192.0.2.0/24"], None, id="everybody"),
    ],
)
def test_source_ranges_hold_for_load_balancer_ips(
    ranges: list[str] | None, expected: tuple[str, ...] | None
) -> None:
    found = table(
        (service(**BALANCER | {"loadBalancerSourceRanges": ranges}),),
        (endpoint_slice(ON_A),),
        kube_proxy(),
    )
    assert [e.source_ranges for e in found.entries] == [None, None, expected]


def test_a_refusal_has_no_source_ranges() -> None:
    restricted = service(**BALANCER | {"loadBalancerSourceRanges": ["192.0.2.0/24"]})
    assert {e.source_ranges for e in table((restricted,), (), kube_proxy()).entries} == {None}


def test_whether_the_node_is_masqueraded_is_open_where_1_14_is_possible() -> None:
    found = table((service(**NODE_PORT | LOCAL),), (endpoint_slice(ON_A),), kube_proxy("?"))
    internal = next(e for e in found.entries if e.clients is Clients.INTERNAL)
    assert internal.masquerade is None


def test_unready_endpoints_that_stay_are_the_same_to_all_versions() -> None:
    unready = endpoint("10.244.0.1", ready=False, serving=False, terminating=True)
    found = table((service(),), (endpoint_slice(unready),), kube_proxy("?"))
    assert found.entries[0].alternatives == ()


@pytest.mark.parametrize(("version", "served"), [("1.29", True), ("1.30", False), ("?", True)])
def test_a_load_balancer_ip_in_proxy_mode_is_served_by_old_versions_only(
    version: str, served: bool
) -> None:
    ingress = [{"ip": "203.0.113.5", "ipMode": "Proxy"}, {"hostname": "lb.example.com"}]
    changes = BALANCER | {"status": {"loadBalancer": {"ingress": ingress}}}
    found = table((service(**changes),), (endpoint_slice(ON_A),), kube_proxy(version))
    kinds = [e.optional for e in found.entries if e.frontend.kind is FrontendKind.LOAD_BALANCER_IP]
    assert kinds == ([True] if served else [])


def test_families_are_kept_apart() -> None:
    slices = (endpoint_slice(ON_A), endpoint_slice(endpoint("fd00:10:244::1"), family="IPv6"))
    both = node(ips=("192.168.0.1", "fd77::1"))
    v4 = table((service(**DUAL),), slices, kube_proxy(), on=both)
    v6 = table((service(**DUAL),), slices, kube_proxy(), on=both, family=Family.IPV6)
    assert [str(e) for e in v4.entries[0].endpoints] == ["10.244.0.1:8080"]
    assert shown(v6) == ["cluster IP [fd00:96::5]:80/TCP: forward [fd00:10:244::1]:8080 never"]
    assert shown(table((service(),), slices, kube_proxy(), on=both, family=Family.IPV6)) == []


@pytest.mark.parametrize(
    ("version", "ips", "optional"),
    [
        pytest.param("1.30", ("192.168.0.1", "fd77::1"), False, id="dual-stack node"),
        pytest.param("1.30", ("192.168.0.1",), True, id="node without such an address"),
        pytest.param("1.20", ("192.168.0.1", "fd77::1"), True, id="single-stack kube-proxy"),
        pytest.param("1.21", ("192.168.0.1", "fd77::1"), False, id="dual-stack by default"),
        pytest.param("1.20", ("fd77::1",), False, id="its own family"),
    ],
)
def test_the_second_family_may_be_left_out(
    version: str, ips: tuple[str, ...], optional: bool
) -> None:
    found = table((service(**DUAL),), (), kube_proxy(version), on=node(ips=ips), family=Family.IPV6)
    assert found.entries[0].optional is optional


@pytest.mark.parametrize(
    ("accepted", "optional"),
    [
        ((), False),
        (("0.0.0.0/0",), False),
        (("192.168.0.0/16",), False),
        (("primary",), False),
        (("10.0.0.0/8",), True),
        (("fd00::/8",), True),
    ],
)
def test_node_ports_may_be_left_out_where_no_address_accepts_them(
    accepted: tuple[str, ...], optional: bool
) -> None:
    proxy = kube_proxy(node_port_addresses=accepted)
    found = table((service(**NODE_PORT),), (endpoint_slice(ON_A),), proxy, on=node())
    assert [e.optional for e in found.entries] == [False, optional]


def test_an_unknown_version_leaves_open_what_versions_do_differently() -> None:
    leaving = endpoint("10.244.1.1", "b", ready=False, serving=True, terminating=True)
    found = table((service(),), (endpoint_slice(leaving),), kube_proxy("?"))
    (entry,) = found.entries
    assert entry.allowed_actions == {Action.FORWARD, Action.REJECT}
    assert entry.required_endpoints == frozenset()
    assert {str(e) for e in entry.allowed_endpoints} == {"10.244.1.1:8080"}


def test_a_known_version_leaves_nothing_open() -> None:
    leaving = endpoint("10.244.1.1", "b", ready=False, serving=True, terminating=True)
    for version in ("1.20", "1.30"):
        found = table((service(),), (endpoint_slice(leaving),), kube_proxy(version))
        assert found.entries[0].alternatives == ()


def test_an_unknown_zone_leaves_the_choice_by_hints_open() -> None:
    slices = (
        endpoint_slice(
            endpoint("10.244.0.1", "x", hints={"forZones": [{"name": "z1"}]}),
            endpoint("10.244.1.1", "y", hints={"forZones": [{"name": "z2"}]}),
        ),
    )
    known = table((service(),), slices, kube_proxy("1.36"), on=node())
    unknown = table((service(),), slices, kube_proxy("1.36"))
    assert [str(e) for e in known.entries[0].endpoints] == ["10.244.0.1:8080"]
    assert unknown.entries[0].required_endpoints == frozenset()
    assert len(unknown.entries[0].allowed_endpoints) == 2


@pytest.mark.parametrize(
    ("annotations", "used"),
    [
        ({"service.kubernetes.io/topology-mode": "Auto"}, 1),
        ({"service.kubernetes.io/topology-aware-hints": "auto"}, 1),
        ({"service.kubernetes.io/topology-mode": "Disabled"}, 2),
        ({}, 2),
    ],
)
def test_up_to_1_30_hints_count_for_annotated_services(
    annotations: dict[str, str], used: int
) -> None:
    slices = (
        endpoint_slice(
            endpoint("10.244.0.1", "x", hints={"forZones": [{"name": "z1"}]}),
            endpoint("10.244.1.1", "y", hints={"forZones": [{"name": "z2"}]}),
        ),
    )
    found = table((service(annotations=annotations),), slices, kube_proxy("1.30"), on=node())
    assert len(found.entries[0].endpoints) == used


def test_the_userspace_proxy_knows_no_policy() -> None:
    proxy = kube_proxy("1.14", mode=ProxyMode.USERSPACE)
    found = table((service(**NODE_PORT | LOCAL),), (endpoint_slice(ON_A, ON_B),), proxy)
    assert [len(e.endpoints) for e in found.entries] == [2, 2]
    assert {e.clients for e in found.entries} == {Clients.ALL}


def test_nodes_that_treat_a_service_alike_share_its_entries() -> None:
    services: tuple[Service, ...] = (service(), service("lb", **NODE_PORT | LOCAL))
    slices: tuple[EndpointSlice, ...] = (endpoint_slice(ON_A), endpoint_slice(ON_B, of="lb"))
    plan = ForwardingPlan(services, {s.service: () for s in slices})
    first, second = (
        plan.table(family=Family.IPV4, node=node(name), node_name=name, proxy=kube_proxy())
        for name in ("a", "b")
    )
    assert first.entries[0] is second.entries[0]

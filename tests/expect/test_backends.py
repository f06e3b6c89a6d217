"""Published endpoints are read as kube-proxy reads them."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.expect.backends import (
    backends_before_slices,
    backends_of_endpoints,
    backends_of_slices,
    is_proxied,
)
from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.source import ObjectRef
from tests.expect.builders import endpoint, endpoint_slice, endpoints_object, service

READY_ON_B = {"ready": True, "node": "b"}


def test_every_port_of_every_endpoint_is_a_backend_with_its_place() -> None:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    found = backends_of_slices([endpoint_slice(endpoint("10.244.0.1"), ports=ports)])
    assert [(b.port_name, b.protocol, b.endpoint) for b in found] == [
        ("dns", Protocol.UDP, Endpoint("10.244.0.1", 53)),
        ("dns-tcp", Protocol.TCP, Endpoint("10.244.0.1", 53)),
    ]
    assert found[0].source == ObjectRef(
        "cluster/endpointslices.json", 0, ("endpoints", 0, "addresses", 0)
    )


@pytest.mark.parametrize(
    ("ports", "served"),
    [
        pytest.param([], [], id="no port serves nothing"),
        pytest.param(
            [{"name": "a", "port": None}], [], id="null means all ports and serves nothing"
        ),
        pytest.param([{"name": "a", "port": 0}], [], id="zero serves nothing"),
        pytest.param([{"port": 80}], [("", Protocol.TCP)], id="no name, no protocol: unnamed TCP"),
        pytest.param([{"name": "a", "port": 80, "protocol": "QUIC"}], [], id="unknown protocol"),
    ],
)
def test_ports_of_a_slice(ports: list[dict[str, Any]], served: list[tuple[str, Protocol]]) -> None:
    found = backends_of_slices([endpoint_slice(endpoint("10.244.0.1"), ports=ports)])
    assert [(b.port_name, b.protocol) for b in found] == served


@pytest.mark.parametrize(
    ("conditions", "ready", "serving", "terminating"),
    [
        pytest.param({}, True, True, False, id="unset"),
        pytest.param({"ready": None}, True, True, False, id="null"),
        pytest.param({"ready": False}, False, False, False, id="serving follows ready"),
        pytest.param(
            {"ready": False, "serving": True, "terminating": True}, False, True, True, id="leaving"
        ),
    ],
)
def test_conditions_mean_what_the_api_says(
    conditions: dict[str, Any], ready: bool, serving: bool, terminating: bool
) -> None:
    (found,) = backends_of_slices([endpoint_slice(endpoint("10.244.0.1", **conditions))])
    assert (found.ready, found.serving, found.terminating) == (ready, serving, terminating)


def test_only_the_first_address_counts_and_is_spelled_as_iptables_prints_it() -> None:
    both = endpoint("fd00:10:244:0::5") | {"addresses": ["fd00:10:244:0::5", "fd00::6"]}
    (found,) = backends_of_slices([endpoint_slice(both, family="IPv6")])
    assert found.endpoint.address == "fd00:10:244::5"


def test_host_names_are_no_endpoints() -> None:
    assert backends_of_slices([endpoint_slice(endpoint("db.example.com"), family="FQDN")]) == ()


@pytest.mark.parametrize(
    ("first", "second", "node"),
    [
        pytest.param({"ready": False}, READY_ON_B, "b", id="ready wins"),
        pytest.param(READY_ON_B, {"ready": False}, "b", id="in either order"),
        pytest.param(
            {"ready": False, "serving": True, "terminating": True},
            {"ready": False, "serving": False, "node": "b"},
            "b",
            id="a pod that stays wins over one that leaves",
        ),
        pytest.param({"ready": True}, READY_ON_B, "a", id="else the first"),
    ],
)
def test_one_address_in_two_slices_is_one_backend(
    first: dict[str, Any], second: dict[str, Any], node: str
) -> None:
    slices = [endpoint_slice(endpoint("10.244.0.1", **e)) for e in (first, second)]
    (found,) = backends_of_slices(slices)
    assert found.node == node


def test_one_address_on_two_ports_is_two_backends() -> None:
    other = [{"name": "http", "port": 9090, "protocol": "TCP"}]
    slices = [
        endpoint_slice(endpoint("10.244.0.1")),
        endpoint_slice(endpoint("10.244.0.1"), ports=other),
    ]
    assert [b.endpoint.port for b in backends_of_slices(slices)] == [8080, 9090]


def test_hints_node_and_pod_are_kept() -> None:
    hinted = endpoint(
        "10.244.0.1",
        "b",
        hints={"forZones": [{"name": "z1"}], "forNodes": [{"name": "b"}]},
        targetRef={"kind": "Pod", "name": "web-1"},
    )
    (found,) = backends_of_slices([endpoint_slice(hinted)])
    assert (found.zone_hints, found.node_hints) == (("z1",), ("b",))
    assert (found.node, found.pod) == ("b", "shop/web-1")


def test_old_slices_say_the_node_in_their_topology() -> None:
    old = endpoint("10.244.0.1", None, topology={"kubernetes.io/hostname": "b"})
    (found,) = backends_of_slices([endpoint_slice(old)])
    assert found.node == "b"


def test_endpoints_say_who_is_ready_and_not_more() -> None:
    subset = {
        "addresses": [
            {
                "ip": "10.244.0.1",
                "nodeName": "a",
                "targetRef": {"kind": "Pod", "name": "web-1", "namespace": "shop"},
            }
        ],
        "notReadyAddresses": [{"ip": "10.244.0.2"}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
    ready, unready = backends_of_endpoints(endpoints_object(subset))
    assert (ready.ready, ready.serving, ready.node, ready.pod) == (True, True, "a", "shop/web-1")
    assert (unready.ready, unready.serving, unready.terminating) == (False, False, False)
    assert unready.source == ObjectRef(
        "cluster/endpoints.json", 0, ("subsets", 0, "notReadyAddresses", 0, "ip")
    )


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        pytest.param(["10.244.0.1"], ["10.244.0.1", "fd00::1"], id="the other family from slices"),
        pytest.param([], [], id="what Endpoints do not know is not served"),
    ],
)
def test_old_versions_read_endpoints(addresses: list[str], expected: list[str]) -> None:
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    published = endpoints_object({"addresses": [{"ip": a} for a in addresses], "ports": ports})
    slices = [endpoint_slice(endpoint("10.244.0.2")), endpoint_slice(endpoint("fd00::1"))]
    found = backends_before_slices(published, slices)
    assert [b.endpoint.address for b in found] == expected
    assert backends_before_slices(None, slices) == ()


@pytest.mark.parametrize(
    ("changes", "proxied"),
    [
        pytest.param({}, True, id="cluster IP"),
        pytest.param({"clusterIP": "None"}, False, id="headless"),
        pytest.param({"clusterIP": ""}, False, id="no address yet"),
        pytest.param({"type": "ExternalName"}, False, id="external name"),
        pytest.param(
            {"labels": {"service.kubernetes.io/service-proxy-name": "x"}}, False, id="other proxy"
        ),
        pytest.param(
            {"labels": {"service.kubernetes.io/headless": ""}}, False, id="headless by label"
        ),
        pytest.param({"type": "LoadBalancer"}, True, id="load balancer"),
    ],
)
def test_what_kube_proxy_skips(changes: dict[str, Any], proxied: bool) -> None:
    assert is_proxied(service(**changes)) is proxied

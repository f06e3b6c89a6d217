"""Which addresses and node ports Services ask for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from analyzer.expect.claims import address_claims, hides_addresses, node_port_claims
from analyzer.model.forwarding import FrontendKind, Protocol
from analyzer.model.kubernetes import Service


def service(name: str = "till", status: dict[str, Any] | None = None, **spec: Any) -> Service:
    described = {"metadata": {"name": name, "namespace": "store"}, "spec": spec}
    return msgspec.convert({**described, "status": status or {}}, Service)


def ingress(*entries: dict[str, str]) -> dict[str, Any]:
    return {"loadBalancer": {"ingress": list(entries)}}


@pytest.mark.parametrize(
    ("claimer", "claims"),
    [
        pytest.param(
            service(clusterIP="10.40.0.10"), [("cluster IP", "10.40.0.10")], id="before clusterIPs"
        ),
        pytest.param(
            service(clusterIP="10.40.0.10", clusterIPs=["10.40.0.10", "FD00:40:0::a"]),
            [("cluster IP", "10.40.0.10"), ("cluster IP", "fd00:40::a")],
            id="dual-stack in its canonical spelling",
        ),
        pytest.param(service(clusterIP="None"), [], id="headless"),
        pytest.param(
            service(clusterIP="None", externalIPs=["198.51.100.7"]),
            [("external IP", "198.51.100.7")],
            id="external IP",
        ),
        pytest.param(
            service(status=ingress({"ip": "198.51.100.8"}, {"hostname": "x.example.com"})),
            [("load-balancer IP", "198.51.100.8")],
            id="load balancer with a host name",
        ),
        pytest.param(
            service(status=ingress({"ip": "198.51.100.8", "ipMode": "Proxy"})),
            [],
            id="kube-proxy leaves it to the load balancer",
        ),
        pytest.param(
            service(type="ExternalName", clusterIP="10.40.0.10"), [], id="ExternalName has none"
        ),
        pytest.param(service(clusterIP="***HIDDEN***"), [], id="redacted"),
    ],
)
def test_addresses(claimer: Service, claims: list[tuple[str, str]]) -> None:
    assert [(c.kind.value, c.address) for c in address_claims(claimer)] == claims


def test_redacted_addresses_are_told_by_kind() -> None:
    hidden = service(clusterIP="10.40.0.10", externalIPs=["***HIDDEN***"])
    assert hides_addresses([hidden], FrontendKind.EXTERNAL_IP)
    assert not hides_addresses([hidden], FrontendKind.CLUSTER_IP)


def test_node_ports_are_told_apart_by_protocol_and_hold_health_checks() -> None:
    ports = [{"port": 53, "protocol": p, "nodePort": 30053} for p in ("TCP", "UDP")]
    claims = node_port_claims(
        [
            service(ports=ports),
            service("gate", ports=[], healthCheckNodePort=30053),
            service("alias", type="ExternalName", ports=ports),
        ]
    )
    assert {k: [(c.service.name, c.what) for c in found] for k, found in claims.items()} == {
        (Protocol.TCP, 30053): [("till", "node port"), ("gate", "health check port")],
        (Protocol.UDP, 30053): [("till", "node port")],
    }

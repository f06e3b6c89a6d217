"""Backends are derived from pods as the EndpointSlice controller does (facts D.1)."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.expect.endpoints import expected_backends, selects, service_families
from analyzer.model.ruleset import Family
from tests.expect.builders import HTTP, pod, service


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        pytest.param({"app": "web"}, {"app": "web", "tier": "x"}, True, id="all keys equal"),
        pytest.param({"app": "web", "tier": "y"}, {"app": "web"}, False, id="a key is missing"),
        pytest.param({"app": "web"}, {"app": "Web"}, False, id="case matters"),
        pytest.param({}, {"app": "web"}, False, id="an empty selector matches nothing"),
        pytest.param(None, {"app": "web"}, False, id="no selector"),
    ],
)
def test_selector(selector: dict[str, str] | None, labels: dict[str, str], selected: bool) -> None:
    assert selects(service(selector=selector), pod(labels=labels)) is selected


def test_pods_of_another_namespace_and_of_external_names_are_not_selected() -> None:
    assert not selects(service(), pod(namespace="other"))
    assert not selects(service(type="ExternalName"), pod())


@pytest.mark.parametrize(
    ("changes", "published"),
    [
        pytest.param({}, True, id="running"),
        pytest.param({"phase": "Pending"}, True, id="the phase alone does not exclude"),
        pytest.param({"phase": "Succeeded"}, False, id="completed job"),
        pytest.param({"phase": "Failed"}, False, id="failed"),
        pytest.param({"ready": False}, True, id="not ready is published as such"),
        pytest.param({"deleted": "2026-11-23T03:00:00Z"}, True, id="leaving is published as such"),
    ],
)
def test_who_is_published(changes: dict[str, Any], published: bool) -> None:
    found = expected_backends(service(), [pod(**changes)])
    assert bool(found) is published


def test_a_pod_without_an_address_is_not_published() -> None:
    starting = pod()
    status = type(starting.status)(phase="Pending")
    assert (
        expected_backends(service(), [type(starting)(metadata=starting.metadata, status=status)])
        == ()
    )


@pytest.mark.parametrize(
    ("publish", "ready", "deleted", "conditions"),
    [
        (False, True, None, (True, True, False)),
        (False, False, None, (False, False, False)),
        (False, True, "2026-11-23T03:00:00Z", (False, True, True)),
        (True, False, None, (True, False, False)),
        (True, True, "2026-11-23T03:00:00Z", (True, True, True)),
    ],
)
def test_conditions(
    publish: bool, ready: bool, deleted: str | None, conditions: tuple[bool, bool, bool]
) -> None:
    wanted = service(publishNotReadyAddresses=publish)
    (found,) = expected_backends(wanted, [pod(ready=ready, deleted=deleted)])
    assert (found.ready, found.serving, found.terminating) == conditions


def test_a_name_is_looked_up_in_each_pod_and_pods_without_it_are_left_out() -> None:
    named = service(ports=[HTTP | {"targetPort": "http"}])
    other = [{"name": "x", "ports": [{"containerPort": 9090, "name": "http"}]}]
    pods = [
        pod("old", "10.244.0.1"),
        pod("new", "10.244.0.2", containers=other),
        pod("without", "10.244.0.3", containers=[{"name": "x"}]),
    ]
    found = expected_backends(named, pods)
    assert [str(b.endpoint) for b in found] == ["10.244.0.1:8080", "10.244.0.2:9090"]


def test_each_port_is_looked_up_on_its_own() -> None:
    two = service(ports=[HTTP, {"name": "admin", "port": 81, "targetPort": "admin"}])
    assert [b.port_name for b in expected_backends(two, [pod()])] == ["http"]


@pytest.mark.parametrize(
    ("families", "cluster_ip", "addresses"),
    [
        pytest.param(["IPv4"], "10.96.0.5", ["10.244.0.1"], id="IPv4"),
        pytest.param(["IPv6"], "fd00:96::5", ["fd00:10:244::1"], id="IPv6"),
        pytest.param(
            ["IPv6", "IPv4"], "fd00:96::5", ["10.244.0.1", "fd00:10:244::1"], id="dual stack"
        ),
        pytest.param(None, "10.96.0.5", ["10.244.0.1"], id="before ipFamilies: the cluster IP's"),
        pytest.param(
            None, "None", ["10.244.0.1", "fd00:10:244::1"], id="before ipFamilies, headless: both"
        ),
    ],
)
def test_families(families: list[str] | None, cluster_ip: str, addresses: list[str]) -> None:
    wanted = service(ipFamilies=families, clusterIP=cluster_ip)
    found = expected_backends(wanted, [pod("web-1", "10.244.0.1", "fd00:10:244:0::1")])
    assert [b.endpoint.address for b in found] == addresses


def test_the_primary_family_comes_first() -> None:
    assert service_families(service(ipFamilies=["IPv6", "IPv4"])) == (Family.IPV6, Family.IPV4)


def test_a_pod_in_the_hosts_network_has_the_nodes_address() -> None:
    (found,) = expected_backends(service(), [pod("web-1", "192.168.0.1", hostNetwork=True)])
    assert found.endpoint.address == "192.168.0.1"


def test_a_service_without_selector_is_written_by_others() -> None:
    assert expected_backends(service(selector=None), [pod()]) == ()


def test_a_name_is_looked_up_in_every_pod_that_has_other_containers() -> None:
    pods = [
        pod(containers=[{"name": "app", "ports": [{"containerPort": number, "name": "web"}]}])
        for number in (1, 1, 2)
    ]
    wanted = service(ports=[HTTP | {"targetPort": "web"}])
    assert [b.endpoint.port for b in expected_backends(wanted, pods)] == [1, 1, 2]

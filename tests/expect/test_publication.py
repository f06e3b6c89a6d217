"""Published endpoints are compared with pods, without alarm where versions or the format explain it."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.expect.publication import (
    CalledPorts,
    Difference,
    DifferenceKind,
    differences_from_endpoints,
    differences_from_slices,
)
from analyzer.model.kubernetes import EndpointSlice, Pod
from tests.expect.builders import (
    HTTP,
    endpoint,
    endpoint_slice,
    endpoints_object,
    pod,
    service,
)

LEAVING = "2026-11-23T03:00:00Z"
MISSING, EXTRA, READINESS = DifferenceKind


def told(differences: tuple[Difference, ...]) -> list[tuple[DifferenceKind, str]]:
    found = ((d.kind, d.expected or d.published) for d in differences)
    return [(kind, backend.endpoint.address) for kind, backend in found if backend]


@pytest.mark.parametrize(
    ("pods", "slices", "expected"),
    [
        pytest.param([pod()], [endpoint_slice(endpoint("10.244.0.1"))], [], id="equal"),
        pytest.param([pod()], [], [(MISSING, "10.244.0.1")], id="nothing written"),
        pytest.param([pod()], [endpoint_slice()], [(MISSING, "10.244.0.1")], id="empty slice"),
        pytest.param(
            [pod()],
            [endpoint_slice(endpoint("10.244.0.9"))],
            [(MISSING, "10.244.0.1"), (EXTRA, "10.244.0.9")],
            id="an old address",
        ),
        pytest.param(
            [pod(ready=False)],
            [endpoint_slice(endpoint("10.244.0.1", ready=True))],
            [(READINESS, "10.244.0.1")],
            id="ready although the pod is not",
        ),
        pytest.param(
            [pod()],
            [endpoint_slice(endpoint("10.244.0.1", ready=False))],
            [(READINESS, "10.244.0.1")],
            id="not ready although the pod is",
        ),
        pytest.param(
            [pod(deleted=LEAVING)], [], [], id="controllers before 1.20 drop leaving pods"
        ),
        pytest.param(
            [pod(deleted=LEAVING)],
            [endpoint_slice(endpoint("10.244.0.1", ready=False, serving=True, terminating=True))],
            [],
            id="later ones publish them",
        ),
        pytest.param(
            [pod(deleted=LEAVING)],
            [endpoint_slice(endpoint("10.244.0.1", ready=True))],
            [(READINESS, "10.244.0.1")],
            id="a leaving pod is not ready",
        ),
        pytest.param(
            [pod("old", deleted=LEAVING), pod("new")],
            [endpoint_slice(endpoint("10.244.0.1"))],
            [],
            id="an address that a new pod has taken over",
        ),
        pytest.param(
            [pod()],
            [endpoint_slice(endpoint("10.244.0.1"), manager="example.com/mine")],
            [],
            id="published by somebody else",
        ),
        pytest.param(
            [pod()],
            [
                endpoint_slice(endpoint("10.244.0.1")),
                endpoint_slice(
                    endpoint("192.0.2.1"), manager="endpointslicemirroring-controller.k8s.io"
                ),
            ],
            [],
            id="mirrored slices are not the controller's",
        ),
        pytest.param(
            [pod("web-1", "10.244.0.1", "fd00:10:244:0::1")],
            [endpoint_slice(endpoint("10.244.0.1"))],
            [],
            id="pods of both IP versions, a Service of one",
        ),
        pytest.param(
            [pod(ready=False)],
            [
                endpoint_slice(endpoint("10.244.0.1")),
                endpoint_slice(endpoint("10.244.0.1", ready=False)),
            ],
            [(READINESS, "10.244.0.1")],
            id="of two slices the one that is ready counts",
        ),
        pytest.param(
            [pod("new"), pod("old", deleted=LEAVING)],
            [endpoint_slice(endpoint("10.244.0.1", ready=False))],
            [(READINESS, "10.244.0.1")],
            id="of two pods with one address the one that stays counts",
        ),
        pytest.param(
            [pod("job", phase="Failed")],
            [
                endpoint_slice(
                    endpoint("10.244.0.1", ready=False, targetRef={"kind": "Pod", "name": "job"})
                )
            ],
            [],
            id="up to 1.21 a failed pod is kept as not ready",
        ),
        pytest.param(
            [],
            [endpoint_slice(endpoint("***HIDDEN***"))],
            [],
            id="a redacted address proves nothing",
        ),
    ],
)
def test_slices(
    pods: list[Pod], slices: list[EndpointSlice], expected: list[tuple[DifferenceKind, str]]
) -> None:
    assert told(differences_from_slices(CalledPorts(service(), pods), slices)) == expected


@pytest.mark.parametrize("changes", [{"selector": None}, {"type": "ExternalName"}])
def test_a_service_without_selector_is_not_compared(changes: dict[str, Any]) -> None:
    manual = [endpoint_slice(endpoint("192.0.2.1"))]
    assert differences_from_slices(CalledPorts(service(**changes), [pod()]), manual) == ()
    assert differences_from_endpoints(CalledPorts(service(**changes), [pod()]), None) == ()


def test_pods_on_a_node_that_is_gone_are_left_out_by_newer_controllers() -> None:
    assert told(differences_from_slices(CalledPorts(service(), [pod()]), [], {"a"})) == [
        (MISSING, "10.244.0.1")
    ]
    assert differences_from_slices(CalledPorts(service(), [pod()]), [], {"b"}) == ()


def test_ports_of_sidecars_are_published_by_newer_controllers_only() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": [{"containerPort": 1, "name": "s"}]}
    wanted = service(ports=[HTTP | {"targetPort": "s"}])
    pods = [pod(initContainers=[sidecar])]
    published = endpoint_slice(
        endpoint("10.244.0.1"), ports=[{"name": "http", "port": 1, "protocol": "TCP"}]
    )
    assert differences_from_slices(CalledPorts(wanted, pods), []) == ()
    assert differences_from_slices(CalledPorts(wanted, pods), [published]) == ()


def test_a_name_that_means_another_number_in_each_pod_is_published_for_each() -> None:
    wanted = service(ports=[HTTP | {"targetPort": "s"}])
    containers = [[{"name": "c", "ports": [{"containerPort": n, "name": "s"}]}] for n in (1, 2)]
    addresses = ("10.244.0.1", "10.244.0.2")
    pods = [pod(a, a, containers=found) for a, found in zip(addresses, containers, strict=True)]
    ports = [{"name": "http", "port": n, "protocol": "TCP"} for n in (1, 2)]
    right = [
        endpoint_slice(endpoint(a), ports=[port]) for a, port in zip(addresses, ports, strict=True)
    ]
    every = [endpoint_slice(*map(endpoint, addresses), ports=ports)]
    called = CalledPorts(wanted, pods)
    assert differences_from_slices(called, right) == ()
    assert told(differences_from_slices(called, right[:1])) == [(MISSING, "10.244.0.2")]
    assert {d for d, _ in told(differences_from_slices(called, every))} == {EXTRA}


def subset(*ready: str, unready: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "addresses": [{"ip": ip} for ip in ready],
        "notReadyAddresses": [{"ip": ip} for ip in unready],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


@pytest.mark.parametrize(
    ("pods", "subsets", "expected"),
    [
        pytest.param([pod()], [subset("10.244.0.1")], [], id="equal"),
        pytest.param([pod()], [], [(MISSING, "10.244.0.1")], id="empty"),
        pytest.param([pod(ready=False)], [subset(unready=("10.244.0.1",))], [], id="not ready"),
        pytest.param(
            [pod(ready=False)],
            [subset("10.244.0.1")],
            [(READINESS, "10.244.0.1")],
            id="ready although the pod is not",
        ),
        pytest.param([pod(deleted=LEAVING)], [], [], id="leaving pods are not published"),
        pytest.param(
            [pod(deleted=LEAVING)], [subset("10.244.0.1")], [(EXTRA, "10.244.0.1")], id="leaving"
        ),
        pytest.param(
            [pod(deleted=LEAVING)],
            [subset(unready=("10.244.0.1",))],
            [(EXTRA, "10.244.0.1")],
            id="leaving, not ready",
        ),
        pytest.param(
            [pod("web-1", "10.244.0.1", "fd00:10:244::1")],
            [subset("10.244.0.1")],
            [],
            id="only the primary family is published",
        ),
    ],
)
def test_endpoints(
    pods: list[Pod], subsets: list[dict[str, Any]], expected: list[tuple[DifferenceKind, str]]
) -> None:
    wanted = service(ipFamilies=["IPv4", "IPv6"])
    found = differences_from_endpoints(CalledPorts(wanted, pods), endpoints_object(*subsets))
    assert told(found) == expected


def test_endpoints_that_do_not_exist_miss_everything() -> None:
    assert told(differences_from_endpoints(CalledPorts(service(), [pod()]), None)) == [
        (MISSING, "10.244.0.1")
    ]


def test_published_not_ready_addresses_keep_leaving_pods_in_endpoints() -> None:
    wanted = service(publishNotReadyAddresses=True)
    published = endpoints_object(subset("10.244.0.1"))
    assert differences_from_endpoints(CalledPorts(wanted, [pod(deleted=LEAVING)]), published) == ()


@pytest.mark.parametrize(
    ("annotations", "addresses"),
    [
        pytest.param({"endpoints.kubernetes.io/over-capacity": "truncated"}, 1, id="annotated"),
        pytest.param({}, 1000, id="full"),
    ],
)
def test_truncated_endpoints_miss_nothing(annotations: dict[str, str], addresses: int) -> None:
    some = [f"10.1.{i // 250}.{i % 250}" for i in range(addresses)]
    published = endpoints_object(subset(*some), annotations=annotations)
    found = differences_from_endpoints(CalledPorts(service(), [pod()]), published)
    assert {d.kind for d in found} == {EXTRA}


def test_endpoints_that_serve_as_a_lock_are_not_compared() -> None:
    lock = endpoints_object(annotations={"control-plane.alpha.kubernetes.io/leader": "{}"})
    assert differences_from_endpoints(CalledPorts(service(), [pod()]), lock) == ()

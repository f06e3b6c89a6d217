"""The ranges of cluster IPs are told by the API server's flags, else by kubeadm's configuration."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.expect.service_cidr import ServiceCIDRs, service_cidrs
from analyzer.model.kubernetes import Pod
from analyzer.model.node import Document
from analyzer.model.source import NOWHERE, ObjectRef
from tests.expect.builders import pod

CONFIG = ObjectRef("cluster/configmaps.json", 1)


def apiserver(field: str, *words: str) -> Pod:
    container = {"name": "kube-apiserver", field: list(words)}
    return pod("kube-apiserver-a", containers=[container])


def kubeadm(subnet: Any) -> Document:
    return Document({"networking": {"serviceSubnet": subnet}}, CONFIG)


@pytest.mark.parametrize(
    ("pods", "config", "cidrs"),
    [
        pytest.param(
            [apiserver("command", "kube-apiserver", "--service-cluster-ip-range=10.96.0.0/12")],
            kubeadm("10.0.0.0/8"),
            ("10.96.0.0/12",),
            id="the flag decides",
        ),
        pytest.param(
            [apiserver("args", "--service-cluster-ip-range", "10.96.0.0/12,fd00::/112")],
            None,
            ("10.96.0.0/12", "fd00::/112"),
            id="two words, two ranges",
        ),
        pytest.param(
            [apiserver("command", "--service-cluster-ip-range")],
            None,
            None,
            id="flag without value",
        ),
        pytest.param(
            [apiserver("command", "x")], kubeadm("10.0.0.0/8"), ("10.0.0.0/8",), id="file"
        ),
        pytest.param([], kubeadm(["10.0.0.0/8"]), None, id="of another type"),
        pytest.param([], kubeadm("nonsense"), None, id="no range"),
        pytest.param([], None, None, id="nothing says"),
    ],
)
def test_sources(pods: list[Pod], config: Document | None, cidrs: tuple[str, ...] | None) -> None:
    found = service_cidrs(pods, config)
    assert (found.cidrs if found else None) == cidrs


def test_the_place_is_the_flag_itself() -> None:
    found = service_cidrs(
        [apiserver("command", "kube-apiserver", "--service-cluster-ip-range=10.96.0.0/12")], None
    )
    assert found is not None
    assert found.source == ObjectRef(
        "cluster/pods.json", 0, ("spec", "containers", 0, "command", 1)
    )


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.96.0.1", True),
        ("10.112.0.1", False),
        pytest.param("10.200.0.1", True, id="in a second range"),
        pytest.param("fd00::1", None, id="no range of that family"),
        pytest.param("***", None, id="redacted"),
    ],
)
def test_membership(address: str, inside: bool | None) -> None:
    assert ServiceCIDRs(("10.96.0.0/12", "10.200.0.0/16"), NOWHERE).contains(address) is inside

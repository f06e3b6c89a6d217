"""What versions of kube-proxy decide differently, and what an unknown version leaves open."""

from __future__ import annotations

import pytest

from analyzer.expect.behaviour import Behaviour, InternalPolicy, ZoneHints, possibilities
from analyzer.model.kube_proxy import KubeProxy, Minor, ProxyMode, ProxyOptions, VersionRange
from tests.expect.builders import kube_proxy


def only(proxy: KubeProxy) -> Behaviour:
    (found,) = possibilities(proxy)
    return found.behaviour


@pytest.mark.parametrize(
    ("version", "internal", "zones", "nodes", "terminating"),
    [
        ("1.14", InternalPolicy.NOTHING, ZoneHints.NEVER, False, False),
        ("1.20", InternalPolicy.NOTHING, ZoneHints.NEVER, False, False),
        ("1.21", InternalPolicy.NOTHING, ZoneHints.NEVER, False, False),
        ("1.22", InternalPolicy.ALL_TRAFFIC, ZoneHints.NEVER, False, False),
        ("1.23", InternalPolicy.ALL_TRAFFIC, ZoneHints.NEVER, False, False),
        ("1.24", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ANNOTATED, False, False),
        ("1.25", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ANNOTATED, False, False),
        ("1.26", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ANNOTATED, False, True),
        ("1.30", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ANNOTATED, False, True),
        ("1.31", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ALWAYS, False, True),
        ("1.33", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ALWAYS, False, True),
        ("1.34", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ALWAYS, True, True),
        ("1.36", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ALWAYS, True, True),
        ("1.99", InternalPolicy.INTERNAL_TRAFFIC, ZoneHints.ALWAYS, True, True),
    ],
)
def test_versions_with_default_gates(
    version: str, internal: InternalPolicy, zones: ZoneHints, nodes: bool, terminating: bool
) -> None:
    found = only(kube_proxy(version))
    assert (found.internal_policy, found.zone_hints) == (internal, zones)
    assert (found.node_hints, found.terminating) == (nodes, terminating)


@pytest.mark.parametrize(
    ("version", "external_ip_policy", "node_is_internal", "ip_mode"),
    [
        ("1.14", False, False, False),
        ("1.15", False, True, False),
        ("1.18", False, True, False),
        ("1.19", True, True, False),
        ("1.29", True, True, False),
        ("1.30", True, True, True),
    ],
)
def test_external_addresses(
    version: str, external_ip_policy: bool, node_is_internal: bool, ip_mode: bool
) -> None:
    found = only(kube_proxy(version))
    assert found.external_ip_policy is external_ip_policy
    assert found.node_is_internal is node_is_internal
    assert found.load_balancer_ip_mode is ip_mode


@pytest.mark.parametrize(
    ("version", "gates", "expected"),
    [
        pytest.param("1.24", (("ProxyTerminatingEndpoints", True),), True, id="alpha gate set"),
        pytest.param(
            "1.26", (("ProxyTerminatingEndpoints", False),), False, id="beta gate cleared"
        ),
        pytest.param("1.21", (("ProxyTerminatingEndpoints", True),), False, id="gate too early"),
    ],
)
def test_gates(version: str, gates: tuple[tuple[str, bool], ...], expected: bool) -> None:
    assert only(kube_proxy(version, feature_gates=gates)).terminating is expected


@pytest.mark.parametrize(("version", "honoured"), [("1.17", False), ("1.18", True)])
def test_the_policy_for_external_ips_could_be_switched_on_in_1_18(
    version: str, honoured: bool
) -> None:
    gates = (("ExternalPolicyForExternalIP", True),)
    assert only(kube_proxy(version, feature_gates=gates)).external_ip_policy is honoured


def test_an_alpha_gate_is_open_where_no_configuration_was_read() -> None:
    unread = kube_proxy("1.24", source=None)
    assert [p.behaviour.terminating for p in possibilities(unread)] == [False, True]


@pytest.mark.parametrize(("version", "is_open"), [("1.20", False), ("1.21", True), ("1.22", False)])
def test_the_internal_policy_was_an_alpha_feature_in_1_21(version: str, is_open: bool) -> None:
    found = possibilities(kube_proxy(version, source=None))
    assert (len({p.behaviour.internal_policy for p in found}) > 1) is is_open


def test_an_unknown_version_may_be_any_and_the_newest_is_likeliest() -> None:
    found = possibilities(kube_proxy("?"))
    assert found[0].behaviour == only(kube_proxy("1.36"))
    assert {p.behaviour.internal_policy for p in found} == set(InternalPolicy)
    assert only(kube_proxy("1.14")) in {p.behaviour for p in found}


def test_a_range_of_versions_leaves_open_what_changes_within_it() -> None:
    found = possibilities(kube_proxy("1.25-1.26"))
    assert [(str(p.since), p.behaviour.terminating) for p in found] == [
        ("1.26", True),
        ("1.24", False),
    ]


def test_a_stated_version_decides_over_the_range() -> None:
    stated = KubeProxy(
        ProxyMode.IPTABLES,
        None,
        VersionRange(Minor(1, 24), None, "v1.30.5-eks-1"),
        ProxyOptions(source=kube_proxy().options.source),
    )
    assert only(stated) == only(kube_proxy("1.30"))

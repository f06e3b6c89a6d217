"""Whether a range holds a node's pods, by their addresses or by what the node was given for them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from analyzer.expect.pod_ranges import all_outside, first_outside, ranges_of_node, ranges_of_pods
from analyzer.model.kubernetes import Node, Pod


def _pod(ip: str, **spec: Any) -> Pod:
    status = {"podIP": ip, "podIPs": [{"ip": ip}], "phase": "Running"}
    return msgspec.convert({"metadata": {"name": "p"}, "spec": spec, "status": status}, Pod)


def _node(*cidrs: str) -> Node:
    spec = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {}
    return msgspec.convert({"metadata": {"name": "a"}, "spec": spec}, Node)


@pytest.mark.parametrize(
    ("node", "pods", "cidrs", "outside"),
    [
        pytest.param(None, [_pod("10.8.1.5")], ("10.8.0.0/16",), None, id="pod inside"),
        pytest.param(None, [_pod("10.9.1.5")], ("10.8.0.0/16",), "10.9.1.5", id="pod outside"),
        pytest.param(
            None, [_pod("192.0.2.1", hostNetwork=True)], ("10.8.0.0/16",), None, id="host network"
        ),
        pytest.param(_node("10.9.1.0/24"), [], ("10.8.0.0/16",), "10.9.1.0/24", id="no pods"),
        pytest.param(
            _node("10.9.1.0/24"), [_pod("10.8.1.5")], ("10.8.0.0/16",), None, id="unused podCIDR"
        ),
        pytest.param(_node("fd00:9::/64"), [], ("10.8.0.0/16",), None, id="no CIDR of the family"),
        pytest.param(
            _node("10.8.1.0/24", "fd00:9::/64"),
            [],
            ("10.8.0.0/16", "fd00:8::/56"),
            "fd00:9::/64",
            id="second family",
        ),
        pytest.param(None, [_pod("hidden-1")], ("10.8.0.0/16",), None, id="redacted"),
    ],
)
def test_the_first_range_that_no_cidr_holds(
    node: Node | None, pods: list[Pod], cidrs: tuple[str, ...], outside: str | None
) -> None:
    found = first_outside(tuple(ranges_of_pods(pods)) or ranges_of_node(node), cidrs)
    assert (found.cidr if found else None) == outside


@pytest.mark.parametrize(
    ("pods", "outside"),
    [
        pytest.param([_pod("10.8.1.5"), _pod("10.9.1.5")], None, id="a second pool"),
        pytest.param([_pod("10.9.1.5"), _pod("10.9.1.6")], "10.9.1.5", id="all outside"),
        pytest.param([_pod("10.8.1.5"), _pod("fd00:9::5")], "fd00:9::5", id="all of one family"),
        pytest.param([_pod("fd00:9::5")], "fd00:9::5", id="one"),
        pytest.param([], None, id="none"),
    ],
)
def test_a_range_is_wrong_where_it_holds_no_pod_of_the_family(
    pods: list[Pod], outside: str | None
) -> None:
    found = all_outside(ranges_of_pods(pods), ("10.8.0.0/16", "fd00:8::/56"))
    assert (found.cidr if found else None) == outside

from __future__ import annotations

from typing import Any

import pytest

from tests.difference.conftest import Differ, Files, dump, objects


def with_conditions(conditions: dict[str, bool]) -> Any:
    def change(files: Files) -> None:
        items = objects(files, "endpointslices")
        for item in items.values():
            if item["metadata"]["labels"].get("kubernetes.io/service-name") == "hostnames":
                item["endpoints"][0]["conditions"] = conditions
        dump(files, "endpointslices", items)

    return change


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ({"ready": False, "serving": False, "terminating": False}, "not ready"),
        ({"ready": False, "serving": True, "terminating": True}, "terminating, serving"),
        ({"ready": False, "serving": False, "terminating": True}, "terminating"),
    ],
)
def test_the_state_of_an_endpoint_is_named(
    conditions: dict[str, bool], state: str, differ: Differ
) -> None:
    (change,) = differ(with_conditions(conditions)).difference.endpoints
    assert [(pair.old.state, pair.new.state) for pair in change.changed] == [("ready", state)]


def moved(files: Files) -> None:
    """All three pods are made anew, and the addresses sort in another order than the nodes."""
    items = objects(files, "endpointslices")
    for item in items.values():
        if item["metadata"]["labels"].get("kubernetes.io/service-name") == "hostnames":
            for number, endpoint in enumerate(item["endpoints"]):
                endpoint["addresses"] = [f"10.244.9.{9 - number}"]
                endpoint["targetRef"]["name"] = f"hostnames-5d4f8c7b6d-b2c4{number + 4}"
    dump(files, "endpointslices", items)


def test_a_pod_is_replaced_by_one_of_its_node_first(differ: Differ) -> None:
    (change,) = differ(moved).difference.endpoints
    assert len(change.replaced) == 3
    assert all(pair.old.node == pair.new.node for pair in change.replaced)

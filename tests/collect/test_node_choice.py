"""Which nodes are looked into."""

from __future__ import annotations

import pytest

from analyzer.collect.node_choice import LARGE, choose_nodes
from analyzer.collect.options import NodeChoice, ObjectName, Options, node_choice
from analyzer.collect.sightings import SeenNode, SeenPod, Sightings, is_safe

WEB = ObjectName("shop", "web")


def seen(count: int, options: Options = Options(), **changed: SeenNode) -> Sightings:  # noqa: B008  # frozen
    nodes = {f"n{n:03}": SeenNode(f"n{n:03}", listed=True) for n in range(count)}
    return Sightings(options, nodes={**nodes, **changed})


def chosen(sightings: Sightings, choice: str = "") -> list[str]:
    options = Options(
        nodes=node_choice(choice),
        services=sightings.options.services,
        pods=sightings.options.pods,
    )
    return [node.name for node in choose_nodes(sightings, options).nodes]


def test_all_of_a_small_cluster_and_nothing_to_say() -> None:
    found = choose_nodes(seen(LARGE), Options())
    assert len(found.nodes) == LARGE
    assert found.statement == ""


def test_a_stated_sample_of_a_large_one() -> None:
    found = choose_nodes(seen(100), Options())
    assert len(found.nodes) == LARGE
    assert found.statement.startswith("a sample of 20 of 100 nodes")
    assert "--nodes all" in found.statement


def test_the_sample_has_the_nodes_that_matter() -> None:
    sick = SeenNode("zzz", listed=True, ready=False)
    control = SeenNode("ccc", listed=True, control_plane=True)
    sightings = seen(100, zzz=sick, ccc=control)
    sightings.dns_nodes.add("n077")
    assert {"zzz", "ccc", "n077"} <= set(chosen(sightings))


@pytest.mark.parametrize(
    ("choice", "names"),
    [("all", 30), ("25", 25), ("n001,n029", 2), ("n001,n001", 1)],
)
def test_the_user_chooses(choice: str, names: int) -> None:
    assert len(chosen(seen(30), choice)) == names


def test_names_that_are_no_nodes_are_told() -> None:
    sightings = seen(2, w=SeenNode("w", listed=True, windows=True))
    options = Options(nodes=NodeChoice(names=("n001", "nope", "w")))
    assert choose_nodes(sightings, options).unknown == ("nope", "w")


def test_windows_and_nodes_that_are_gone_are_left_out() -> None:
    gone, windows = SeenNode("gone"), SeenNode("w", listed=True, windows=True)
    assert chosen(seen(1, gone=gone, w=windows)) == ["n000"]
    assert chosen(Sightings(Options(), nodes={"only-in-pods": SeenNode("only-in-pods")}))


def test_the_nodes_of_a_service_and_a_few_others() -> None:
    sightings = seen(100, Options(services=(WEB,)))
    sightings.endpoint_nodes.add("n050")
    sightings.selectors[WEB] = {"app": "web"}
    sightings.neighbours += [
        ("shop", {"app": "web", "x": "y"}, "n060"),
        ("shop", {"app": "other"}, "n061"),
        ("else", {"app": "web"}, "n062"),
    ]
    names = chosen(sightings)
    assert {"n050", "n060"} <= set(names)
    assert len(names) == 5


def test_the_node_of_a_named_pod() -> None:
    pod = ObjectName("shop", "client")
    sightings = seen(100, Options(pods=(pod,)))
    sightings.named[pod] = SeenPod("shop", "client", "n099", "c", "i")
    assert "n099" in chosen(sightings)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("ip-10-0-0-1.ec2.internal", True),
        ("a", True),
        ("", False),
        ("-o", False),
        ("../a", False),
        ("a/b", False),
        ("a\nb", False),
        ("a..b", False),
    ],
)
def test_hostile_names_are_not_safe(name: str, safe: bool) -> None:
    assert is_safe(name) is safe

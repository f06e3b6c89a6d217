from __future__ import annotations

import pytest

from analyzer.bundle.layout import Placed, classify, ignored
from analyzer.model.inputs import Input, Scope


@pytest.mark.parametrize("source", Input, ids=lambda source: source.name)
def test_every_input_is_found_where_it_says_it_is(source: Input) -> None:
    node = "node-1.example.com" if source.value.scope is Scope.NODE else ""
    namespace, pod = ("default", "web-0") if source.value.scope is Scope.POD else ("", "")
    path = source.path(node, namespace, pod)
    assert classify(path) == Placed(path, source, node, namespace, pod)


@pytest.mark.parametrize(
    ("path", "source", "part"),
    [
        ("cluster/pods.1.json", Input.PODS, 1),
        ("cluster/endpointslices.12.json", Input.ENDPOINT_SLICES, 12),
        ("cluster/configmaps.2.json", Input.CONFIG_MAPS, 2),
    ],
)
def test_parts_of_a_list_have_a_number(path: str, source: Input, part: int) -> None:
    assert classify(path) == Placed(path, source, part=part)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ip-addr.txt", Input.ADDRESSES),
        ("ip-link.txt", Input.LINKS),
        ("ip-route.txt", Input.ROUTES),
    ],
)
def test_another_form_of_the_same_facts_is_the_same_input(name: str, source: Input) -> None:
    assert classify(f"nodes/a/{name}") == Placed(f"nodes/a/{name}", source, "a")


UNKNOWN = [
    "README",
    "cluster/kubectl-version.json",
    "cluster/pods.0.json",
    "cluster/pods.01.json",
    "cluster/pods.x.json",
    "cluster/pods.1.2.json",
    "cluster/version.1.json",
    "cluster/old/pods.json",
    "cluster/iptables-save.txt",
    "nodes/iptables-save.txt",
    "nodes/a/iptables-save.txt.bak",
    "nodes/a/._sysctl.txt",
    "nodes/a/old/sysctl.txt",
    "nodes/a/hosts",
    "pods/default/resolv.conf",
    "pods/default/web-0/hostname",
    "other/a/sysctl.txt",
]


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_is_not_known_is_no_input(path: str) -> None:
    assert classify(path) is None


def test_unknown_files_are_listed_and_the_manifest_is_known() -> None:
    assert ignored(("manifest.json", "cluster/pods.json", *UNKNOWN)) == tuple(UNKNOWN)

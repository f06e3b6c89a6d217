from __future__ import annotations

from typing import Any

import pytest

from analyzer.model.kube_proxy import Minor, VersionRange
from analyzer.observe.kube_proxy import identify_kube_proxy
from analyzer.observe.version_signs import version_of_rules
from tests.observe.evidence import evidence, log, node, pod
from tests.observe.rulesets import dump, tables


def _version(**given: Any) -> VersionRange:
    return identify_kube_proxy(evidence(**given)).version


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        pytest.param({"log": log(("Version info", {"version": "v1.30.5"}))}, "1.30.5", id="log"),
        pytest.param({"log": log("Version: v1.14.0")}, "1.14.0", id="old log"),
        pytest.param(
            {"log": log("Version: v1.14.0", ("Version info", {"version": "v1.30.5"}))},
            "1.30.5",
            id="the last start counts",
        ),
        pytest.param(
            {"log": log("Version: {KernelVersion:4.18.0}")}, None, id="another kind of version"
        ),
        pytest.param({"pods": (pod("registry.k8s.io/kube-proxy:v1.30.5"),)}, "1.30.5", id="image"),
        pytest.param(
            {"pods": (pod("123.dkr.ecr/eks/kube-proxy:v1.29.0-minimal-eksbuild.1"),)},
            "1.29.0",
            id="EKS",
        ),
        pytest.param(
            {"pods": (pod("gke.gcr.io/kube-proxy-amd64:v1.27.3-gke.100"),)}, "1.27.3", id="GKE"
        ),
        pytest.param(
            {"pods": (pod("k8s.gcr.io/kube-proxy@sha256:abc"),)}, None, id="an image without tag"
        ),
        pytest.param(
            {"pods": (pod("hyperkube:v1.16.3", "/usr/local/bin/kube-proxy"),)},
            "1.16.3",
            id="hyperkube",
        ),
        pytest.param({"pods": (pod("quay.io/coredns:v1.11.1"),)}, None, id="another pod"),
        pytest.param({"node": node(kube_proxy="v1.28.3")}, "1.28.3", id="Node"),
        pytest.param(
            {
                "pods": (pod("registry.k8s.io/kube-proxy:v1.30.5"),),
                "node": node(kube_proxy="v1.28.3"),
            },
            "1.30.5",
            id="image before Node",
        ),
        pytest.param(
            {
                "log": log("Version: v1.14.0"),
                "pods": (pod("registry.k8s.io/kube-proxy:v1.30.5"),),
            },
            "1.14.0",
            id="log before image",
        ),
    ],
)
def test_an_exact_version_is_the_strongest_statement(
    given: dict[str, Any], exact: str | None
) -> None:
    assert _version(**given).exact == exact


def test_rules_beat_an_image_that_cannot_have_written_them() -> None:
    tag = pod("registry.k8s.io/kube-proxy:v1.36.2")

    version = _version(rulesets=(dump("1.14-no-comments"),), pods=(tag,))

    assert (version.exact, version.latest) == (None, Minor(1, 19))
    assert ("1.36.2", "tag of the pod's image") in {(s.claim, s.reason) for s in version.signs}


def test_a_log_beats_rules_that_may_be_left_over() -> None:
    version = _version(rulesets=(dump("1.14-no-comments"),), log=log("Version: v1.30.5"))

    assert (version.exact, version.earliest) == ("1.30.5", Minor(1, 30))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1.2", "1.17 or earlier"),
        ("1.4-local", "1.23 or earlier"),
        ("1.14-no-comments", "1.19 or earlier"),
        ("1.18", "1.17 to 1.20"),
        ("1.21-local", "1.19 to 1.23"),
        ("1.22", "1.23 or earlier"),
        ("1.24", "1.24 or later"),
        ("1.25", "1.25 or later"),
        ("1.30-interface-prefix", "1.24 or later"),
        ("1.32-nfacct", "1.24 or later"),
        ("direct-mark", "1.19 or earlier"),
        ("userspace", "unknown"),
    ],
)
def test_rules_bound_the_version_where_two_signs_agree(name: str, expected: str) -> None:
    assert str(version_of_rules([dump(name)])) == expected


def test_one_sign_alone_bounds_nothing() -> None:
    left_over = tables(nat="-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m tcp --dport 1 -j KUBE-EXT-A")
    version = version_of_rules([left_over])

    assert (str(version), [s.claim for s in version.signs]) == ("unknown", ["1.24 or later"])


def test_signs_that_contradict_each_other_bound_nothing() -> None:
    version = version_of_rules([dump("1.25"), dump("1.2")])

    assert (version.earliest, version.latest) == (None, None)
    assert len(version.signs) > 4


def test_a_sign_points_at_its_rule() -> None:
    ruleset = dump("1.25")
    arrow = next(s for s in version_of_rules([ruleset]).signs if "->" in s.reason)

    rule = ruleset.rules("nat", "KUBE-SVC-AAAAAAAAAAAAAAAA")[1]
    assert arrow.source == ruleset.ref(rule)

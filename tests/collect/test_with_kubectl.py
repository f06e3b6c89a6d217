"""`svcbundle collect` with the real kubectl, against an API server that plays the cluster of a sample."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bundles import files_of, sample
from tests.collect.api_server.authorization import Authorizer, Rule, rules_of
from tests.collect.api_server.capture import Capture, open_capture
from tests.collect.api_server.faults import Action, Fault
from tests.collect.collected import Collected
from tests.collect.conftest import Labs
from tests.command_line import svcbundle

SAME = (
    "hairpin-off",
    "nftables-mode",
    "jump-to-services-lost",
    "old-kube-proxy",
    "nameserver-wrong",
)
"""Samples whose causes are of all kinds: a bridge, rules of each mode and age, a pod's resolv.conf."""

READ_IN_CONTAINER = {
    "ip6tables-save.txt",
    "iptables-version.txt",
    "nft-ruleset.json",
    "hairpin.txt",
    "sysctl.txt",
    "resolv.conf",
    "processes.txt",
    "kube-proxy-config.yaml",
}
REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}
QUICK = ("--no-preflight", "--node-access=none", "--no-pod-exec")


def _report(bundle: Path) -> Any:
    done = svcbundle("analyze", str(bundle), "--format", "json", "--fail-on", "never")
    return json.loads(done.out)


def _causes(report: Any) -> Counter[tuple[str, ...]]:
    """Return the errors that nothing else explains, of the cluster and not of the bundle itself."""
    return Counter(
        (f["check"], f["service"] or "", f["node"] or "", f["pod"] or "")
        for f in report["findings"]
        if f["severity"] == "error" and f["causedBy"] is None and f["station"] != "bundle"
    )


def _verdicts(report: Any) -> dict[str, str]:
    return {f"{s['namespace']}/{s['name']}": s["verdict"] for s in report["services"]}


def _pods_of(name: str) -> Iterator[str]:
    """Yield the options that name the pods whose files the capture has."""
    for path in files_of(name):
        if path.startswith("pods/") and path.endswith("/resolv.conf"):
            yield f"--pod={path.removeprefix('pods/').removesuffix('/resolv.conf')}"


@pytest.mark.parametrize("name", SAME)
def test_the_bundle_gives_the_same_diagnosis_as_the_capture(
    labs: Labs, tmp_path: Path, name: str
) -> None:
    lab = labs.serve(sample(name), containers=True)
    done = lab.collect(tmp_path / "b.tgz", "--no-preflight", *_pods_of(name))
    assert done.returncode in {0, 1}, done.stderr
    expected, found = _report(sample(name)), _report(tmp_path / "b.tgz")
    assert _causes(found) == _causes(expected)
    assert _verdicts(found) == _verdicts(expected)


def test_nodes_are_looked_at_and_nothing_is_changed(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    lab.says("exec", "--namespace=kube-system", "kube-proxy-lxtk7", "--", "cat", "/proc/uptime")
    assert lab.nodes
    machine = lab.nodes.machine("node-a")
    before = machine.namespace.run("iptables-save"), machine.tables()
    done = lab.collect(tmp_path / "b.tgz")
    assert done.returncode in {0, 1}, done.stderr
    bundle = Collected(tmp_path / "b.tgz")
    rules = bundle.files["nodes/node-a/iptables-save.txt"].decode()
    assert _rules(rules) == _rules(files_of("healthy")["nodes/node-a/iptables-save.txt"].decode())
    assert bundle.of_node("node-b") > READ_IN_CONTAINER
    after = machine.namespace.run("iptables-save"), machine.tables()
    assert [_rules(text) for text in after] == [_rules(text) for text in before]
    for node in ("node-a", "node-b", "node-c"):
        assert lab.nodes.container(node).modules_asked_for() == ""
    changing = [r for r in lab.server.requests if r.asked.verb not in {"get", "list"}]
    assert {r.asked.resource for r in changing} <= REVIEWS


def _rules(saved: str) -> list[str]:
    """Return chains and rules without counters and dates, those of each chain in their order."""
    lines = [
        line.partition("] ")[2] if line.startswith("[") else line for line in saved.splitlines()
    ]
    kept = [line.partition(" [")[0] for line in lines if line[:1] in {":", "-", "*"}]
    return sorted(kept, key=lambda line: line.split()[1] if line.startswith("-A") else "")


def test_objects_come_whole_in_pages_and_secrets_are_never_asked_for(
    labs: Labs, tmp_path: Path
) -> None:
    lab = labs.serve(sample("healthy"))
    lab.collect(tmp_path / "b.tgz", *QUICK)
    bundle = Collected(tmp_path / "b.tgz")
    files = files_of("healthy")
    for resource in ("pods", "services", "endpoints", "endpointslices", "nodes", "events"):
        expected = json.loads(files[f"cluster/{resource}.json"])["items"]
        assert len(bundle.names(resource)) == len(expected), resource
        assert {item["kind"] for item in bundle.items(resource)} == {expected[0]["kind"]}
    assert bundle.json("cluster/version.json") == json.loads(files["cluster/version.json"])
    assert bundle.names("configmaps") == [
        f"kube-system/{name}"
        for name in ("coredns", "kube-proxy", "kubeadm-config", "kubelet-config")
    ]
    assert lab.server.asked(lambda request: request.asked.resource == "secrets") == []
    listed = lab.server.asked(lambda r: r.asked.verb == "list" and r.asked.resource == "pods")
    assert all("limit=" in request for request in listed)
    assert (tmp_path / "b.tgz").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "fault",
    [
        Fault("/pods.*continue", code=410, times=1),
        Fault("/pods.*limit", code=429, times=1),
        Fault("/pods.*limit", code=500, times=1),
        Fault("/pods.*limit", code=503, times=1),
        Fault("/pods.*limit", Action.CUT, times=1),
        Fault("/pods.*limit", Action.RESET, times=1),
    ],
    ids=lambda fault: f"{fault.action.name}-{fault.code}",
)
def test_what_passes_is_tried_again(labs: Labs, tmp_path: Path, fault: Fault) -> None:
    lab = labs.serve(_with_many_pods(1200))
    lab.server.faults.append(fault)
    lab.collect(tmp_path / "b.tgz", *QUICK)
    bundle = Collected(tmp_path / "b.tgz")
    assert fault.hits == 1
    assert len(bundle.names("pods")) == len(set(bundle.names("pods"))) == 1200
    assert not [path for path in bundle.missing if path.startswith("cluster/pods")]


@pytest.mark.parametrize("code", [403, 404])
def test_a_refused_resource_is_missing_with_its_reason_and_the_rest_is_there(
    labs: Labs, tmp_path: Path, code: int
) -> None:
    lab = labs.serve(sample("healthy"))
    lab.server.faults.append(Fault("/endpointslices", code=code))
    done = lab.collect(tmp_path / "b.tgz", *QUICK)
    assert done.returncode == 1
    bundle = Collected(tmp_path / "b.tgz")
    assert "cluster/endpointslices.json" in bundle.missing
    assert len(bundle.names("services")) == 18
    assert "endpointslices" in done.stderr + done.stdout


def test_who_may_list_in_one_namespace_only_gets_that(labs: Labs, tmp_path: Path) -> None:
    own = tuple(
        Rule(("get", "list"), ("*",), namespace=namespace) for namespace in ("shop", "kube-system")
    )
    lab = labs.serve(sample("healthy"), Authorizer(own))
    done = lab.collect(tmp_path / "b.tgz", "--namespace=shop", *QUICK)
    assert done.returncode == 1, done.stderr
    bundle = Collected(tmp_path / "b.tgz")
    spaces = {name.partition("/")[0] for name in bundle.names("pods")}
    assert spaces == {"shop", "kube-system"}
    assert "cluster/nodes.json" in bundle.missing


def test_who_may_list_in_one_namespace_only_is_told_how_to_ask_for_that(
    labs: Labs, tmp_path: Path
) -> None:
    lab = labs.serve(
        sample("healthy"), Authorizer((Rule(("get", "list"), ("*",), namespace="shop"),))
    )
    done = lab.collect(tmp_path / "b.tgz", "--node-access=none", "--no-pod-exec")
    assert done.returncode in {1, 3}
    assert "--namespace NAME" in done.stdout + done.stderr


def test_nodes_of_windows_are_left_out_and_that_is_said(labs: Labs, tmp_path: Path) -> None:
    capture = open_capture(sample("healthy"))
    nodes = json.loads(capture.files["cluster/nodes.json"])
    nodes["items"][2]["status"]["nodeInfo"]["operatingSystem"] = "windows"
    lab = labs.serve(Capture({**capture.files, "cluster/nodes.json": json.dumps(nodes).encode()}))
    done = lab.collect(tmp_path / "b.tgz", "--no-preflight", "--no-pod-exec")
    bundle = Collected(tmp_path / "b.tgz")
    assert not [path for path in bundle.missing if path.startswith("nodes/node-c/")]
    assert "1 Windows node is not looked into" in done.stdout


def test_the_printed_role_suffices_and_grants_nothing_that_is_not_used(
    labs: Labs, tmp_path: Path
) -> None:
    printed = svcbundle("collect", "--print-rbac").out
    granted = rules_of(yaml.safe_load_all(printed))
    lab = labs.serve(_complete(), Authorizer(granted), containers=True)
    lab.collect(tmp_path / "b.tgz", "--pod=default/toolbox-a")
    bundle = Collected(tmp_path / "b.tgz")
    reasons = "".join(bundle.missing.values()).lower()
    assert "forbidden" not in reasons
    assert "not permitted" not in reasons
    assert bundle.of_node("node-a") >= {"iptables-save.txt", "kube-proxy.log"}
    assert "pods/default/toolbox-a/resolv.conf" in bundle.files
    used = {(r.asked.verb, r.asked.with_subresource) for r in lab.server.requests}
    used |= {("create", what) for verb, what in used if what == "pods/exec"}
    served = {plural for _, plural in lab.server.cluster.store.resources}
    wide = {
        (verb, resource)
        for rule in granted
        for verb in rule.verbs
        for resource in rule.resources
        if resource in served or "/" in resource
    }
    assert wide - used == set()


def test_where_all_that_was_asked_for_came_the_status_is_0(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(_complete())
    done = lab.collect(tmp_path / "b.tgz", *QUICK)
    bundle = Collected(tmp_path / "b.tgz")
    assert (done.returncode, bundle.missing) == (0, {})


def _complete() -> Capture:
    """Return a cluster that has something of everything that is asked for."""
    capture = open_capture(sample("healthy"))
    files = dict.fromkeys(("cluster/ingresses.json", "cluster/statefulsets.json"), b'{"items": []}')
    for node in ("node-a", "node-b", "node-c"):
        files[f"nodes/{node}/kubelet-configz.json"] = (
            b'{"kubeletconfig": {"clusterDomain": "cluster.local"}}'
        )
        files[f"nodes/{node}/kubelet.log"] = (
            b"I1123 02:51:20.000001       1 kubelet.go:1] started\n"
        )
    return Capture({**capture.files, **files})


def test_a_dry_run_asks_for_nothing_and_says_all(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"))
    done = lab.collect(tmp_path / "b.tgz", "--dry-run")
    assert done.returncode == 0
    assert not (tmp_path / "b.tgz").exists()
    assert "/api/v1/pods" in done.stdout or "get pods" in done.stdout
    verbs = {(r.asked.verb, r.asked.subresource) for r in lab.server.requests}
    assert verbs <= {("list", ""), ("get", ""), ("create", "")}
    changing = [r for r in lab.server.requests if r.asked.verb == "create"]
    assert {r.asked.resource for r in changing} <= REVIEWS


def _with_many_pods(count: int) -> Capture:
    """Return a cluster that has more pods than come in one page."""
    capture = open_capture(sample("healthy"))
    pod = json.loads(capture.files["cluster/pods.json"])["items"][0]
    pods = [
        {**pod, "metadata": {**pod["metadata"], "name": f"pod-{number:05}"}}
        for number in range(count)
    ]
    return Capture({**capture.files, "cluster/pods.json": json.dumps({"items": pods}).encode()})

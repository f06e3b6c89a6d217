"""The API server of these tests, as kubectl sees it: it has to behave like a real one for what is proven with it."""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest

from tests.bundles import sample
from tests.collect.api_server.authorization import Authorizer, Rule
from tests.collect.api_server.faults import Action, Fault
from tests.collect.conftest import Lab, Labs

PROXY = ("--namespace", "kube-system", "kube-proxy-lxtk7")


@pytest.fixture
def lab(labs: Labs) -> Lab:
    return labs.serve(sample("healthy"))


def test_lists_in_pages_as_many_objects_as_without(lab: Lab) -> None:
    whole = json.loads(lab.says("get", "pods", "-A", "-o", "json", "--chunk-size", "0"))
    paged = json.loads(lab.says("get", "pods", "-A", "-o", "json", "--chunk-size", "7"))
    assert whole == paged
    assert len(whole["items"]) == 26
    assert len(lab.server.asked(lambda r: "limit=7" in r.query)) == 4


def test_items_of_a_raw_list_do_not_say_their_kind(lab: Lab) -> None:
    page = json.loads(lab.says("get", "--raw", "/api/v1/namespaces/shop/services?limit=2"))
    assert page["kind"] == "ServiceList"
    assert [sorted(item) for item in page["items"]] == [["metadata", "spec", "status"]] * 2
    assert page["metadata"]["remainingItemCount"] > 0
    assert page["metadata"]["continue"]


@pytest.mark.parametrize("aggregates", [True, False])
def test_kubectl_discovers_what_there_is(lab: Lab, aggregates: bool) -> None:
    lab.server.cluster.aggregates = aggregates
    names = lab.says("api-resources", "-o", "name").split()
    assert {"pods", "endpointslices.discovery.k8s.io", "daemonsets.apps"} <= set(names)
    done = lab.run("get", "statefulsets")
    assert 'the server doesn\'t have a resource type "statefulsets"' in done.stderr


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (("-l", "k8s-app=kube-proxy"), 3),
        (("-l", "k8s-app in (kube-proxy, kube-dns)"), 5),
        (("-l", "!k8s-app"), 21),
        (("--field-selector", "spec.nodeName=node-b"), 9),
        (("--field-selector", "metadata.namespace!=shop,status.phase=Running"), 11),
    ],
)
def test_selects(lab: Lab, words: tuple[str, ...], count: int) -> None:
    assert len(lab.says("get", "pods", "-A", "-o", "name", *words).split()) == count


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "pod", "nope"), 'Error from server (NotFound): pods "nope" not found'),
        (("get", "--raw", "/api/v1/nope"), "the server could not find the requested resource"),
        (("get", "pods", "--field-selector", "spec.x=1"), "field label not supported: spec.x"),
        (("logs", *PROXY, "--previous"), 'previous terminated container "kube-proxy" in pod'),
        (("logs", *PROXY, "-c", "x"), "container x is not valid for pod kube-proxy-lxtk7"),
        (("get", "--raw", "/api/v1/nodes/node-a:10249/proxy/proxyMode"), "connection refused"),
        (("exec", *PROXY, "--", "ls"), 'exec: "ls": executable file not found in $PATH'),
    ],
)  # fmt: skip
def test_says_what_is_wrong_as_a_real_one_does(lab: Lab, words: tuple[str, ...], said: str) -> None:
    done = lab.run(*words)
    assert done.returncode == 1
    assert said in done.stderr


def test_logs_are_cut_from_their_end_and_then_from_their_start(lab: Lab) -> None:
    whole = lab.says("logs", *PROXY).splitlines()
    assert lab.says("logs", *PROXY, "--tail", "3").splitlines() == whole[-3:]
    assert lab.says("logs", *PROXY, "--limit-bytes", "40") == "\n".join(whole)[:40]
    assert 0 < len(lab.says("logs", *PROXY, "--since", "15s").splitlines()) < len(whole)


def test_who_may_not_is_told_so_by_the_review_and_by_the_request(labs: Labs) -> None:
    denied = (Rule(("*",), ("pods/exec", "secrets")), Rule(("list",), ("pods",)))
    lab = labs.serve(sample("healthy"), Authorizer(denied=denied))
    for words in (
        ("create", "pods", "--subresource", "exec"),
        ("get", "secrets"),
        ("list", "pods"),
    ):
        assert lab.run("auth", "can-i", *words, "-A").stdout == "no\n"
    assert lab.says("auth", "can-i", "get", "pods", "-A") == "yes\n"
    listed = lab.run("get", "pods", "-A").stderr
    assert (
        'User "tester" cannot list resource "pods" in API group "" at the cluster scope' in listed
    )
    assert 'cannot create resource "pods/exec"' in lab.run("exec", *PROXY, "--", "cat").stderr


def test_a_role_grants_in_its_namespace_only(labs: Labs) -> None:
    granted = (Rule(("get", "list"), ("pods",), namespace="shop"),)
    lab = labs.serve(sample("healthy"), Authorizer(granted))
    assert len(lab.says("get", "pods", "-n", "shop", "-o", "name").split()) == 15
    assert "Forbidden" in lab.run("get", "pods", "-n", "default").stderr
    assert "Forbidden" in lab.run("get", "pods", "-A").stderr


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("/services", code=500, message="etcd leader changed"), "etcd leader changed"),
        (Fault("/services", code=403), r"\(Forbidden\)"),
        (Fault("continue", code=410), "The provided continue parameter is too old"),
        (Fault("/services", Action.CUT), "unexpected EOF"),
        (Fault("/services", Action.RESET), "EOF"),
        (Fault("/services", Action.DIE), "unexpected EOF"),
        (Fault("/services", Action.HANG), "imeout|deadline exceeded"),
        (Fault("/services", Action.STALL), "imeout|deadline exceeded"),
    ],
    ids=lambda value: value.action.name + str(value.code) if isinstance(value, Fault) else "",
)
def test_faults_are_seen_by_kubectl(lab: Lab, fault: Fault, said: str) -> None:
    lab.says("get", "services", "-A", "--chunk-size", "5")
    lab.server.faults.append(fault)
    path = "/api/v1/services?limit=5"
    if "continue" in fault.where:
        path += "&continue=" + json.loads(lab.says("get", "--raw", path))["metadata"]["continue"]
    done = lab.run("get", "--raw", path, "--request-timeout", "1s")
    assert done.returncode == 1
    assert re.search(said, done.stderr)
    assert fault.hits >= 1


def test_too_many_requests_is_tried_again_by_kubectl(lab: Lab) -> None:
    lab.server.faults.append(Fault("/services", code=429, times=1))
    began = time.monotonic()
    lab.says("get", "--raw", "/api/v1/services")
    assert time.monotonic() - began > 0.9


def test_a_dead_server_comes_back(lab: Lab) -> None:
    lab.server.die()
    assert "refused" in lab.run("get", "nodes").stderr
    lab.server.revive()
    assert len(lab.says("get", "nodes", "-o", "name").split()) == 3


def test_without_the_token_nobody_is_let_in(lab: Lab) -> None:
    said = "You must be logged in to the server"
    assert said in lab.run("get", "nodes", "--token", "another").stderr


# --- commands in containers ---


@pytest.fixture
def running(labs: Labs) -> Lab:
    return labs.serve(sample("hairpin-off"), containers=True)


def test_exec_carries_all_streams_and_the_exit_status(running: Lab) -> None:
    done = running.run(
        "exec", "-i", *PROXY, "--", "sh", "-s", text="echo out; echo err >&2; exit 7\n"
    )
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr == "err\ncommand terminated with exit code 7\n"
    sent = bytes(range(256)) * 4000
    words = [running.kubectl, "--kubeconfig", running.server.kubeconfig, "exec", "-i", *PROXY]
    back = subprocess.run([*words, "--", "cat"], input=sent, capture_output=True, check=True)
    assert back.stdout == sent


def test_the_container_has_the_rules_of_its_node_and_few_programs(running: Lab) -> None:
    script = """
    iptables-save -c | grep -c -- '-A KUBE-SVC'
    for file in /sys/class/net/*/brport/hairpin_mode; do cat $file; done | wc -l
    cat /proc/sys/net/ipv4/conf/all/route_localnet /proc/1/cmdline
    for name in ls ps ip tar head sysctl awk; do command -v $name || true; done
    """
    said = running.says("exec", "-i", *PROXY, "--", "sh", "-s", text=script).split("\n")
    command = "/usr/local/bin/kube-proxy --config=/var/lib/kube-proxy/config.conf"
    command += " --hostname-override=node-a --v=4 "
    assert said == ["56", "8", "1", command.replace(" ", "\0")]
    assert running.says("exec", *PROXY, "--", "cat", "/etc/resolv.conf").startswith("nameserver")


def test_a_pod_of_kubectl_debug_runs_on_the_node(running: Lab) -> None:
    words = ("--image=registry.k8s.io/kube-proxy:v1.30.5", "--profile=sysadmin", "-i", "-q")
    command = ("sh", "-c", "iptables-save | grep -c KUBE-SVC")
    assert int(running.says("debug", "node/node-a", *words, "--", *command)) > 36


def test_a_pod_gives_the_files_of_the_capture_and_nothing_else(running: Lab) -> None:
    assert "ndots:5" in running.says("exec", "toolbox-a", "--", "cat", "/etc/resolv.conf")
    assert "executable file not found" in running.run("exec", "toolbox-a", "--", "sh").stderr


@pytest.mark.parametrize("action", [Action.CUT, Action.DIE])
def test_a_command_is_cut_in_the_middle_of_its_output(running: Lab, action: Action) -> None:
    running.server.faults.append(Fault("/exec", action, after=50_000))
    done = running.run("exec", *PROXY, "--", "sh", "-c", "while :; do iptables-save; done")
    assert done.returncode == 1
    assert 10_000 < len(done.stdout) < 200_000

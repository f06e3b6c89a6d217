"""The ways into nodes other than exec, and what a dry run says of them all."""

from __future__ import annotations

import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from analyzer.collect.node_access import REMOTE_SHELL, NoWayInError, ssh_command
from analyzer.collect.node_script import NodeSettings, script
from analyzer.collect.sightings import SeenNode
from tests.bundles import sample
from tests.collect.api_server.faults import Action, Fault
from tests.collect.collected import Collected
from tests.collect.conftest import Lab, Labs
from tests.command_line import svcbundle

ONE_NODE = ("--no-pod-exec", "--no-preflight", "--nodes=node-a")
QUICK = ("--node-access=none", "--no-pod-exec", "--no-preflight")


def pods(lab: Lab, verb: str) -> list[str]:
    """Return the pods that were created or deleted, by the end of the request's path."""
    asked = lab.server.asked(lambda r: r.asked.verb == verb and r.asked.with_subresource == "pods")
    return [str(request) for request in asked]


def test_a_debugging_pod_is_deleted_afterwards(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    lab.collect(tmp_path / "b.tgz", "--node-access=debug", *ONE_NODE)
    bundle = Collected(tmp_path / "b.tgz")
    assert bundle.manifest["nodes"] == {"node-a": {"method": "kubectl-debug"}}
    assert "iptables-save.txt" in bundle.of_node("node-a")
    assert len(pods(lab, "create")) == 1
    assert len(pods(lab, "delete")) == 1


_OLD_KUBECTL = """\
#!/bin/sh
# kubectl 1.20 has a flag --profile too: which profile of itself to write
case "$*" in *--profile=*) echo "Error: unknown profile 'sysadmin'" >&2; exit 1 ;; esac
exec {kubectl} "$@"
"""


def test_a_kubectl_that_knows_no_profile_creates_the_pod_without(
    labs: Labs, tmp_path: Path
) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    old = tmp_path / "kubectl"
    old.write_text(_OLD_KUBECTL.format(kubectl=lab.kubectl))
    old.chmod(0o755)
    lab = Lab(lab.server, old, lab.nodes)
    done = lab.collect(tmp_path / "b.tgz", "--node-access=debug", *ONE_NODE)
    bundle = Collected(tmp_path / "b.tgz")
    assert "iptables-save.txt" in bundle.of_node("node-a")
    assert "not privileged" in done.stdout
    assert (len(pods(lab, "create")), len(pods(lab, "delete"))) == (1, 1)


def test_a_debugging_pod_is_deleted_after_ctrl_c_too(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    lab.server.faults.append(Fault("node-debugger.*/exec", Action.STALL, after=100))
    process = subprocess.Popen(
        lab.collection("-o", tmp_path / "b.tgz", "--node-access=debug", *ONE_NODE),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not lab.server.faults[0].hits:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _out, said = process.communicate(timeout=30)
    assert process.returncode == 1, said.decode()
    assert len(pods(lab, "delete")) == 1


def test_a_dry_run_names_every_command_of_a_run(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    planned = {
        line.partition("    #")[0]
        for line in lab.collect(tmp_path / "b.tgz", "--dry-run").stdout.splitlines()
    }
    lab.collect(tmp_path / "b.tgz")
    manifest = Collected(tmp_path / "b.tgz").manifest
    ran = [entry["command"] for entry in (*manifest["entries"], *manifest["missing"])]
    of_kubectl = [command[1:] for command in ran if command and command[0] == "kubectl"]
    words = {tuple(shlex.split(line)[2:]) for line in planned if not line.startswith("#")}
    assert len(of_kubectl) > 20
    for command in of_kubectl:
        derived = "configmaps/{" in command[-1]  # several in one file
        assert derived or tuple(command) in words, command


def test_a_dry_run_names_what_is_done_with_a_debugging_pod(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"))
    done = lab.collect(tmp_path / "b.tgz", "--dry-run", "--node-access=debug", *ONE_NODE)
    words = [line.split()[2] for line in done.stdout.splitlines() if "kube-system" in line]
    assert [w for w in words if w in {"debug", "wait", "exec", "delete"}] == [
        *("debug", "wait", "exec", "delete")
    ]
    assert "/extensions/v1beta1/ingresses" in done.stdout
    assert pods(lab, "create") == []


def test_a_node_that_was_collected_by_hand_is_put_in(labs: Labs, tmp_path: Path) -> None:
    by_hand = tmp_path / "node-a.out"
    text = script(NodeSettings(node="node-a", logs=False))
    with by_hand.open("wb") as out:
        subprocess.run(["sh"], input=text, stdout=out, stderr=subprocess.DEVNULL, check=True)
    done = svcbundle("collect", "--no-cluster", f"--add={by_hand}", "-o", str(tmp_path / "n.tgz"))
    assert done.status in {0, 1}, done.err
    alone = Collected(tmp_path / "n.tgz")
    assert alone.manifest["nodes"] == {"node-a": {"method": "by-hand"}}
    assert "sysctl.txt" in alone.of_node("node-a")

    lab = labs.serve(sample("healthy"))
    lab.collect(tmp_path / "c.tgz", *QUICK)
    lab.server.requests.clear()
    svcbundle(
        *("collect", "--no-cluster", f"--resume={tmp_path / 'c.tgz'}", f"--add=node-x={by_hand}")
    )
    both = Collected(tmp_path / "c.tgz")
    assert both.of_node("node-x") >= alone.of_node("node-a")
    assert len(both.names("pods")) == 26
    assert lab.server.requests == []


def test_what_is_no_output_of_the_script_is_wrong_usage(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("hello\n")
    done = svcbundle("collect", "--no-cluster", f"--add={other}", "-o", str(tmp_path / "b.tgz"))
    assert done.status == 2
    assert "node.sh" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_collection_that_still_runs_is_not_disturbed(tmp_path: Path) -> None:
    (tmp_path / "b.tgz.partial").mkdir()
    done = svcbundle("collect", "--no-cluster", "--node", "-o", str(tmp_path / "b.tgz"))
    assert done.status == 2
    assert "--resume" in done.err


def test_without_kubectl_it_is_said_what_to_do(tmp_path: Path) -> None:
    done = svcbundle("collect", "--kubectl=/no/kubectl", "-o", str(tmp_path / "b.tgz"))
    assert done.status == 3
    assert "--kubectl PATH" in done.err
    assert list(tmp_path.iterdir()) == []


def test_ssh_gets_the_address_as_one_word_and_no_option() -> None:
    command = ssh_command(SeenNode("a", address="fd00::1"), "admin")
    assert command[-3:] == ("--", "admin@fd00::1", REMOTE_SHELL)
    with pytest.raises(NoWayInError):
        ssh_command(SeenNode("a", address="-oProxyCommand=x"), "")


@pytest.mark.parametrize(
    "option",
    [("--service=web",), ("--pod=a/b/c",), ("--since=soon",), ("--log-bytes=x",), ("--jobs=0",)],
)
def test_wrong_options_are_wrong_usage(option: tuple[str, ...]) -> None:
    assert svcbundle("collect", *option, "--dry-run").status == 2

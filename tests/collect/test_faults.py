"""A collection that meets with trouble keeps what had come, says why the rest did not, and ends in time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bundles import sample
from tests.collect.api_server.authorization import Authorizer, Rule
from tests.collect.api_server.capture import Capture, open_capture
from tests.collect.api_server.faults import Action, Fault
from tests.collect.collected import Collected
from tests.collect.conftest import Lab, Labs

EXEC_ON_B = "kube-proxy-p84wx/exec"
PATIENCE = 60
"""Seconds in which a collection that hangs nowhere must be over, on a busy machine too."""

OF_OBJECTS = ("--no-preflight", "--node-access=none", "--no-pod-exec")
OF_NODES = ("--no-preflight", "--no-pod-exec")


@pytest.mark.parametrize("first", [1, 5, 12])
def test_an_api_server_that_dies_leaves_what_had_come(
    labs: Labs, tmp_path: Path, first: int
) -> None:
    lab = labs.serve(sample("healthy"))
    lab.server.faults.append(Fault("limit=", Action.DIE, first=first))
    began = time.monotonic()
    done = lab.collect(tmp_path / "b.tgz", *OF_NODES)
    assert time.monotonic() - began < PATIENCE
    if first == 1:
        assert done.returncode == 3
        assert not (tmp_path / "b.tgz").exists()
        return
    assert done.returncode == 1, done.stderr
    bundle = Collected(tmp_path / "b.tgz")
    assert len([name for name in bundle.files if name.startswith("cluster/")]) >= first - 2
    assert bundle.missing
    assert all(bundle.missing.values())


def test_nothing_at_all_is_said_so(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"))
    lab.server.die()
    done = lab.collect(tmp_path / "b.tgz")
    assert done.returncode == 3
    assert "refused" in done.stderr
    assert not (tmp_path / "b.tgz").exists()


def test_a_node_that_hangs_does_not_keep_the_others(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    lab.server.faults.append(Fault(EXEC_ON_B, Action.STALL, after=20_000))
    began = time.monotonic()
    done = lab.collect(tmp_path / "b.tgz", *OF_NODES, "--node-timeout=12")
    assert time.monotonic() - began < PATIENCE
    assert done.returncode == 1, done.stderr
    bundle = Collected(tmp_path / "b.tgz")
    for node in ("node-a", "node-c"):
        assert "iptables-save.txt" in bundle.of_node(node)
        assert "hairpin.txt" in bundle.of_node(node)
    lost = {path: why for path, why in bundle.missing.items() if path.startswith("nodes/node-b/")}
    assert "nodes/node-b/hairpin.txt" in lost
    assert any("timed out" in why or "time" in why for why in lost.values())


def test_a_node_that_breaks_off_keeps_its_whole_files(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    lab.server.faults.append(Fault(EXEC_ON_B, Action.CUT, after=60_000))
    lab.collect(tmp_path / "b.tgz", *OF_NODES)
    bundle = Collected(tmp_path / "b.tgz")
    whole = bundle.files["nodes/node-b/iptables-save.txt"]
    assert whole.count(b"COMMIT") == 3
    assert whole.splitlines()[-1].startswith(b"# Completed on ")


def test_a_second_attempt_that_brings_nothing_takes_nothing_away(
    labs: Labs, tmp_path: Path
) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    lab.server.faults.append(Fault(EXEC_ON_B, Action.CUT, after=60_000, times=1))
    lab.server.faults.append(Fault(EXEC_ON_B, code=500))
    lab.collect(tmp_path / "b.tgz", *OF_NODES)
    assert lab.server.faults[0].hits == 1
    assert lab.server.faults[1].hits >= 1
    bundle = Collected(tmp_path / "b.tgz")
    assert bundle.files["nodes/node-b/iptables-save.txt"].count(b"COMMIT") == 3
    assert "nodes/node-b/hairpin.txt" in bundle.missing


def test_a_kube_proxy_that_does_not_run_is_said_with_the_other_ways_in(
    labs: Labs, tmp_path: Path
) -> None:
    capture = open_capture(sample("healthy"))
    files = {**capture.files, "nodes/node-b/processes.txt": b"  PID STAT COMMAND\n"}
    lab = labs.serve(Capture(files), containers=True)
    lab.collect(tmp_path / "b.tgz", *OF_NODES)
    why = Collected(tmp_path / "b.tgz").missing["nodes/node-b/iptables-save.txt"]
    assert "container not found" in why
    assert "--node-access debug" in why


def test_without_the_list_of_pods_nobody_says_that_there_is_no_kube_proxy(
    labs: Labs, tmp_path: Path
) -> None:
    lab = labs.serve(sample("healthy"))
    lab.server.faults.append(Fault("/api/v1/pods", code=403))
    lab.collect(tmp_path / "b.tgz", *OF_NODES)
    missing = Collected(tmp_path / "b.tgz").missing
    for name in ("iptables-save.txt", "kube-proxy.log"):
        assert "their list did not come" in missing[f"nodes/node-a/{name}"]


def test_a_stream_without_a_status_at_its_end_is_whole_where_the_script_ended(
    labs: Labs, tmp_path: Path
) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    lab.server.faults.append(Fault(EXEC_ON_B, Action.MUTE))
    lab.collect(tmp_path / "b.tgz", *OF_NODES)
    bundle = Collected(tmp_path / "b.tgz")
    assert lab.server.faults[0].hits >= 1
    assert bundle.of_node("node-b") == bundle.of_node("node-a")
    of_b = {path.split("/")[2] for path in bundle.missing if path.startswith("nodes/node-b/")}
    of_a = {path.split("/")[2] for path in bundle.missing if path.startswith("nodes/node-a/")}
    assert of_b == of_a


def test_forbidden_exec_leaves_objects_and_logs(labs: Labs, tmp_path: Path) -> None:
    denied = (Rule(("*",), ("pods/exec",)),)
    lab = labs.serve(sample("healthy"), Authorizer(denied=denied))
    done = lab.collect(tmp_path / "b.tgz")
    assert done.returncode == 1
    bundle = Collected(tmp_path / "b.tgz")
    assert len(bundle.names("pods")) == 26
    assert bundle.of_node("node-a") >= {"kube-proxy.log"}
    why = bundle.missing["nodes/node-a/iptables-save.txt"]
    assert "pods/exec" in why or "forbidden" in why
    asked = lab.server.asked(lambda r: r.asked.subresource == "exec")
    assert not [line for line in asked if "command=sh" in line]


# --- a full disk ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system on which the objects of the cluster do not all find room."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "none", place]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here: a full disk is not tried")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_leaves_a_bundle_of_what_found_room(labs: Labs, small_disk: Path) -> None:
    lab = labs.serve(sample("healthy"))
    done = lab.collect(small_disk / "b.tgz", *OF_OBJECTS)
    assert done.returncode == 1, done.stderr
    assert "no space left" in done.stderr + done.stdout
    bundle = Collected(small_disk / "b.tgz")
    assert len(bundle.names("nodes")) == 3
    assert any("space" in reason for reason in bundle.missing.values()), bundle.missing


def test_where_nothing_finds_room_nothing_is_left(labs: Labs, small_disk: Path) -> None:
    (small_disk / "other").write_bytes(bytes(1400 << 10))
    lab = labs.serve(sample("healthy"))
    done = lab.collect(small_disk / "b.tgz", *OF_OBJECTS)
    assert done.returncode == 3
    assert "no space left" in done.stderr
    assert not (small_disk / "b.tgz").exists()


# --- interrupted ---


def _when(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _hung_at_node_b(lab: Lab, bundle: Path) -> subprocess.Popen[bytes]:
    """Start a collection and wait until only node-b, which hangs, has not answered."""
    lab.server.faults.append(Fault(EXEC_ON_B, Action.STALL, times=1))
    process = subprocess.Popen(
        lab.collection("-o", bundle, *OF_NODES),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    _when(lambda: lab.server.faults[0].hits)
    _when(lambda: sum(r.answered and "command=sh" in r.query for r in lab.server.requests) >= 2)
    time.sleep(1)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_collection_leaves_a_bundle(
    labs: Labs, tmp_path: Path, number: signal.Signals
) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    process = _hung_at_node_b(lab, tmp_path / "b.tgz")
    process.send_signal(number)
    _, said = process.communicate(timeout=15)
    assert process.returncode in {1, 130, 143}, said.decode()
    assert b"Traceback" not in said
    bundle = Collected(tmp_path / "b.tgz")
    assert len(bundle.names("pods")) == 26
    assert "iptables-save.txt" in bundle.of_node("node-a")
    assert "interrupted" in bundle.missing["nodes/node-b/hairpin.txt"]
    assert "the collection ended early: interrupted" in bundle.manifest["notes"]
    done = lab.collect(tmp_path / "b.tgz", *OF_NODES, f"--resume={tmp_path / 'b.tgz'}")
    assert "ended early" not in done.stdout
    assert "hairpin.txt" in Collected(tmp_path / "b.tgz").of_node("node-b")


def test_a_killed_collection_is_resumed_and_asks_only_for_what_is_missing(
    labs: Labs, tmp_path: Path
) -> None:
    lab = labs.serve(sample("healthy"), containers=True)
    process = _hung_at_node_b(lab, tmp_path / "b.tgz")
    process.kill()
    process.communicate()
    lab.server.requests.clear()
    left = [path for path in tmp_path.iterdir() if path.name.startswith("b.tgz")]
    assert left
    done = lab.collect(tmp_path / "b.tgz", *OF_NODES, f"--resume={left[0]}")
    assert done.returncode in {0, 1}, done.stderr
    bundle = Collected(tmp_path / "b.tgz")
    assert len(bundle.names("pods")) == 26
    for node in ("node-a", "node-b", "node-c"):
        assert {"iptables-save.txt", "hairpin.txt"} <= bundle.of_node(node)
    asked = {r.asked.name for r in lab.server.requests if r.asked.subresource == "exec"}
    assert asked == {"kube-proxy-p84wx"}
    assert lab.server.asked(lambda r: r.asked.resource == "services") == []


def test_a_bundle_that_lacks_something_is_completed(labs: Labs, tmp_path: Path) -> None:
    lab = labs.serve(sample("healthy"))
    fault = Fault("/endpointslices", code=403)
    lab.server.faults.append(fault)
    lab.collect(tmp_path / "b.tgz", *OF_OBJECTS)
    lab.server.faults.clear()
    lab.server.requests.clear()
    shutil.copy(tmp_path / "b.tgz", tmp_path / "first.tgz")
    lab.collect(tmp_path / "b.tgz", *OF_OBJECTS, f"--resume={tmp_path / 'first.tgz'}")
    bundle = Collected(tmp_path / "b.tgz")
    assert len(bundle.names("endpointslices")) == 18
    assert "cluster/endpointslices.json" not in bundle.missing
    assert lab.server.asked(lambda r: r.asked.resource == "pods") == []

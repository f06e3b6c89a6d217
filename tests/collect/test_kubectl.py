"""Programs end in time, with their group, whatever they do."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from analyzer.collect.kubectl import NOT_STARTED, Ended, Processes


def everything(stream: BinaryIO) -> bytes:
    return stream.read()


def run(command: str, timeout: float = 20, stdin: bytes = b"") -> tuple[Ended, bytes]:
    return Processes().run(("sh", "-c", command), everything, timeout=timeout, stdin=stdin)


def test_output_status_and_complaint_are_told_apart() -> None:
    ended, output = run("echo out; echo err >&2; exit 3")
    assert (output, ended.stderr, ended.exit_code, ended.ok) == (b"out\n", "err", 3, False)


def test_large_input_and_output_do_not_wait_for_each_other() -> None:
    given = bytes(range(256)) * 4000
    ended, output = run("cat", stdin=given)
    assert ended.ok
    assert output == given


def test_input_that_nobody_reads_is_no_error() -> None:
    ended, output = run("echo hi", stdin=b"x" * 1_000_000)
    assert ended.ok
    assert output == b"hi\n"


@pytest.mark.parametrize(
    "command",
    ["echo part; sleep 60", "echo part; trap '' TERM; sleep 60 & wait", "echo part; exec >&-; sleep 60"],
    ids=["sleeps", "does not want to end", "closes its output"],
)  # fmt: skip
def test_a_program_is_ended_at_its_limit_and_what_it_said_is_kept(command: str) -> None:
    began = time.monotonic()
    ended, output = run(command, timeout=0.5)
    assert time.monotonic() - began < 10
    assert ended.timed_out_after == 0.5
    assert not ended.ok
    assert output == b"part\n"


def test_children_end_with_it(tmp_path: Path) -> None:
    sign = tmp_path / "alive"
    run(f"(trap '' TERM; sleep 3; touch {sign}) & sleep 60", timeout=0.3)
    time.sleep(3.5)
    assert not sign.exists()


def test_a_child_that_holds_the_pipes_open_is_not_waited_for() -> None:
    began = time.monotonic()
    ended, output = run("echo hi; sleep 60 &")
    assert time.monotonic() - began < 10
    assert ended.ok
    assert output == b"hi\n"


@pytest.mark.parametrize("command", [("/no/such/program",), ("/",), ("a\0b",)])
def test_what_cannot_be_started_is_a_result(command: tuple[str, ...]) -> None:
    ended, output = Processes().run(command, everything, timeout=5)
    assert ended.exit_code == NOT_STARTED
    assert "cannot be started" in ended.stderr
    assert output == b""


def test_stopping_ends_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    processes = Processes()
    threading.Timer(0.3, processes.stop).start()
    began = time.monotonic()
    ended, _output = processes.run(("sleep", "60"), everything, timeout=60)
    assert ended.interrupted
    assert time.monotonic() - began < 10
    ended, _output = processes.run(("touch", str(tmp_path / "x")), everything, timeout=60)
    assert ended.interrupted
    assert not (tmp_path / "x").exists()


def test_nothing_starts_after_the_deadline(tmp_path: Path) -> None:
    processes = Processes(deadline=time.monotonic())
    ended, _output = processes.run(("touch", str(tmp_path / "x")), everything, timeout=60)
    assert ended.timed_out_after == 0
    assert not (tmp_path / "x").exists()


def test_arguments_reach_the_program_as_they_are() -> None:
    hostile = "$(touch /tmp/x); `id` 'a' \"b\" *"
    _ended, output = Processes().run(("printf", "%s", hostile), everything, timeout=5)
    assert output.decode() == hostile

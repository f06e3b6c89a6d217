"""What a program costs: wall time, CPU time and peak memory of its process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Command:
    """A program that is measured."""

    arguments: tuple[str, ...]
    stdin: Path | None = None
    statuses: tuple[int, ...] = (0,)
    """Exit statuses of a run that is worth measuring."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost, or the medians of several."""

    wall: float
    """Seconds."""

    cpu: float
    """Seconds in user mode and in the kernel."""

    memory: float
    """Peak resident set in MB; no less than that of the process which measures (some 20)."""


def measure(commands: Sequence[Command], repetitions: int) -> list[Cost]:
    """Return the median cost of each command; they take turns, so that a busy moment hits all of them."""
    runs = [[_run(command) for command in commands] for _ in range(repetitions)]
    return [_median(costs) for costs in zip(*runs, strict=True)]


def _run(command: Command) -> Cost:
    """Run a command; raises `RuntimeError` with what it said where it fails."""
    with (command.stdin or Path(os.devnull)).open("rb") as stdin:
        begun = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - the commands are this program's own
            command.arguments, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        said = b"".join(_output(process))
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in command.statuses:
        raise RuntimeError(f"{' '.join(command.arguments)}: {said.decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _output(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    if process.stderr is not None:
        with process.stderr as stream:
            yield stream.read()


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        median(c.wall for c in costs),
        median(c.cpu for c in costs),
        median(c.memory for c in costs),
    )

"""What a program costs: wall time, CPU time and peak memory, its children included."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Thread


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
    """Peak in MB: of a single process its resident set, of several the highest sum of their proportional sets that
    was seen, five times a second. No less than that of the process which measures (some 20)."""


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
        watch = _Watch(process.pid)
        watch.start()
        said = b"".join(_output(process))
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in command.statuses:
        raise RuntimeError(f"{' '.join(command.arguments)}: {said.decode(errors='replace')}")
    memory = max(usage.ru_maxrss / 1024, watch.highest)
    return Cost(wall, usage.ru_utime + usage.ru_stime, memory)


class _Watch(Thread):
    """Looks at the memory of a process and its children until it has ended."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.highest = 0.0
        """MB; 0 while the process had no children."""

    def run(self) -> None:
        """Look at it."""
        while Path(f"/proc/{self._pid}/status").exists():
            children = _children(self._pid)
            if children:
                total = sum(map(_proportional_set, (self._pid, *children)))
                self.highest = max(self.highest, total / 1024)
            time.sleep(0.2)


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    try:
        own = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [found for child in map(int, own) for found in (child, *_children(child))]


def _proportional_set(pid: int) -> int:
    """Return KB; pages that several processes share count in part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


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

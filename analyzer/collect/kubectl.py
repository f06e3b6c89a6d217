"""Processes: the only code of svcbundle that starts any. Each has a time limit and is ended with its group.

Arguments never go through a shell. A program that ends badly, late or not at all is a result, not an exception.
"""

from __future__ import annotations

import io
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, Final, TypeVar, cast

from analyzer.language import _

T = TypeVar("T")

NOT_STARTED: Final = 127
"""Exit status of a program that could not be started, as a shell has it."""

_PIECE = 1 << 16
_TICK = 0.2
"""Seconds after which a waiting process is looked at again."""

_GRACE = 2.0
"""Seconds between asking a process to end and ending it, and for its output after its end."""

_STDERR_KEPT = 8192


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ran, and how it ended."""

    command: tuple[str, ...]
    started_at: datetime
    duration_ms: int
    exit_code: int
    """Negative for a signal; `NOT_STARTED` where it could not be started."""

    stderr: str
    """The last 8 KiB."""

    timed_out_after: float | None = None
    """The limit in seconds that it was ended at."""

    interrupted: bool = False
    """It was ended, or not started, because `Processes.stop` was called."""

    @property
    def ok(self) -> bool:
        """It ended by itself, with status 0."""
        return self.exit_code == 0 and self.timed_out_after is None and not self.interrupted


@dataclass(slots=True)
class Processes:
    """Starts programs, from any thread, until it is stopped."""

    deadline: float = float("inf")
    """The moment by `time.monotonic` after which nothing runs."""

    _stopped: threading.Event = field(default_factory=threading.Event)
    _why: str = ""

    def run(
        self,
        command: tuple[str, ...],
        consume: Callable[[BinaryIO], T],
        *,
        timeout: float,
        stdin: bytes = b"",
    ) -> tuple[Ended, T]:
        """Run a program, let `consume` read its output as it comes, and return how it ended and what was read.

        The output ends early where the time is over; what `consume` leaves unread ends the program.
        """
        began, clock = datetime.now(UTC), time.monotonic()
        limit = max(0.0, min(timeout, self.deadline - clock))
        if self.stopped or not limit:
            late = None if self.stopped else limit
            ended = Ended(command, began, 0, NOT_STARTED, "", late, self.stopped)
            return ended, consume(io.BytesIO())
        try:
            child = _Child(command, stdin, clock + limit, self._stopped)
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            why = f"{command[0]}: cannot be started: {getattr(error, 'strerror', None) or error}"
            return Ended(command, began, 0, NOT_STARTED, why), consume(io.BytesIO())
        try:
            read = consume(cast("BinaryIO", io.BufferedReader(child, _PIECE)))
            child.finish()
        finally:
            child.end()
        duration = int((time.monotonic() - clock) * 1000)
        late = limit if child.late else None
        status, said = child.exit_code, child.stderr
        return Ended(command, began, duration, status, said, late, child.was_stopped), read

    def stop(self, why: str = "") -> None:
        """End all programs that run, and start none any more."""
        self._why = self._why or why
        self._stopped.set()

    @property
    def why_stopped(self) -> str:
        """What the results that did not come any more are to say."""
        return self._why or _("interrupted")

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait, at most until the deadline; return False where it is of no use to go on."""
        left = self.deadline - time.monotonic()
        return not self._stopped.wait(max(0.0, min(seconds, left))) and left > seconds


class _Child(io.RawIOBase):
    """A process whose standard output is read as a file; its other pipes are served meanwhile."""

    def __init__(
        self, command: tuple[str, ...], stdin: bytes, deadline: float, stopped: threading.Event
    ) -> None:
        super().__init__()
        # A session of its own: no terminal to ask for a password on, and one group to end.
        self._process = subprocess.Popen(  # noqa: S603 - no shell; the program is the user's kubectl
            command,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._pending = memoryview(stdin)
        self._deadline, self._stop = deadline, stopped
        self._complaint = bytearray()
        self._selector = selectors.DefaultSelector()
        self._ended_at: float | None = None
        self.late = False
        self.was_stopped = False
        for pipe, event in (
            (self._process.stdin, selectors.EVENT_WRITE),
            (self._process.stdout, selectors.EVENT_READ),
            (self._process.stderr, selectors.EVENT_READ),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, event)

    @property
    def exit_code(self) -> int:
        """Status of the process, which has ended."""
        return self._process.wait()

    @property
    def stderr(self) -> str:
        """What it complained of."""
        return self._complaint.decode(errors="backslashreplace").strip()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Wait for output; 0 at its end, at the time limit and when stopped."""
        while self._goes_on():
            for key, _events in self._selector.select(_TICK):
                if key.fileobj is self._process.stdout:
                    piece = self._read(self._process.stdout, min(len(buffer), _PIECE))
                    if piece:
                        buffer[: len(piece)] = piece
                        return len(piece)
                    if piece is not None:
                        return 0
                else:
                    self._serve(key.fileobj)
        return 0

    def finish(self) -> None:
        """Wait for the end of a process whose output has ended; one that has more to say is ended."""
        if self._process.stdout in self._registered():
            return
        while self._goes_on() and self._process.poll() is None:
            if not self._registered():
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_TICK)
                continue
            for key, _events in self._selector.select(_TICK):
                self._serve(key.fileobj)
        for pipe in self._registered():
            self._serve(pipe)

    def end(self) -> None:
        """End the process with its group, if it still runs, and give back the pipes."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
            self._signal(signal.SIGKILL)  # also for those of its group that it left behind
            self._process.wait()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _goes_on(self) -> bool:
        now = time.monotonic()
        self.was_stopped = self.was_stopped or self._stop.is_set()
        self.late = self.late or (now >= self._deadline and not self.was_stopped)
        if self._ended_at is None and self._process.poll() is not None:
            self._ended_at = now
        # A grandchild may hold the pipes open for ever, as ssh's ControlPersist does.
        lingers = self._ended_at is not None and now - self._ended_at > _GRACE
        return not (self.late or self.was_stopped or lingers)

    def _registered(self) -> list[object]:
        return [key.fileobj for key in self._selector.get_map().values()]

    def _serve(self, pipe: object) -> None:
        if pipe is self._process.stderr:
            self._complaint += self._read(self._process.stderr, _PIECE) or b""
            del self._complaint[:-_STDERR_KEPT]
        elif pipe is self._process.stdin and self._process.stdin is not None:
            self._feed(self._process.stdin)

    def _feed(self, pipe: BinaryIO | object) -> None:
        stdin = cast("BinaryIO", pipe)
        try:
            written = os.write(stdin.fileno(), self._pending[:_PIECE])
        except BlockingIOError:
            return
        except OSError:
            written = len(self._pending)
        self._pending = self._pending[written:]
        if not self._pending:
            self._selector.unregister(stdin)
            with suppress(OSError):
                stdin.close()

    def _read(self, pipe: object, count: int) -> bytes | None:
        """Return what a pipe has; empty at its end, None where there is nothing yet."""
        try:
            piece = os.read(cast("BinaryIO", pipe).fileno(), count)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""
        if not piece:
            self._selector.unregister(cast("BinaryIO", pipe))
        return piece

    def _signal(self, number: signal.Signals) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, number)

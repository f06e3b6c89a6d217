"""Asking the cluster by the user's kubectl: retries only for what is worth it, and no more once it is dead."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import BinaryIO, Final, Generic, TypeVar

from analyzer.collect.credentials import without_credentials
from analyzer.collect.kubectl import NOT_STARTED, Ended, Processes
from analyzer.collect.options import Options
from analyzer.collect.resources import Need
from analyzer.language import _

T = TypeVar("T")

_PAUSES: Final = (1.0, 3.0)
"""Seconds before the second and the third attempt. kubectl itself obeys Retry-After before that."""

_PROBE_SECONDS: Final = 15.0
_REASON_BYTES: Final = 500

_FROM_SERVER = re.compile(
    r"^(?:Error from server|error: (?:unable to upgrade|Internal error)"
    r"|error: You must be logged in)",
    re.MULTILINE,
)
_REASON = re.compile(r"^Error from server \((?P<reason>\w+)\)", re.MULTILINE)
_BEHIND_SERVER = re.compile(r"error trying to reach service|error dialing backend|proxy error from")
_LOST = re.compile(
    r"connection to the server .* was refused|Unable to connect to the server|connection refused"
    r"|connection reset by peer|no such host|i/o timeout|TLS handshake timeout|unexpected EOF"
    r"|network is unreachable|no route to host|client connection (?:lost|force closed)"
    r"|server closed|stream error|GOAWAY|context deadline exceeded|\bEOF$",
    re.MULTILINE,
)
_NO_LOGIN = re.compile(r"You must be logged in|Unauthorized|Please enter Username")


class Failure(Enum):
    """Why an answer did not come."""

    FORBIDDEN = "forbidden"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not found"
    EXPIRED = "expired"
    """The continue token of a list is too old (410)."""

    BUSY = "busy"
    """429 or 5xx: worth another attempt."""

    LOST = "lost"
    """No connection to the API server, or one that broke: worth another attempt."""

    LATE = "late"
    STOPPED = "stopped"
    NOT_STARTED = "not started"
    OTHER = "other"


_BY_REASON: Final = {
    "Forbidden": Failure.FORBIDDEN,
    "Unauthorized": Failure.UNAUTHORIZED,
    "NotFound": Failure.NOT_FOUND,
    "Expired": Failure.EXPIRED,
    "Gone": Failure.EXPIRED,
    "TooManyRequests": Failure.BUSY,
    "InternalError": Failure.BUSY,
    "ServiceUnavailable": Failure.BUSY,
    "Timeout": Failure.BUSY,
    "ServerTimeout": Failure.BUSY,
}


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a command gave."""

    ended: Ended
    content: T
    failure: Failure | None
    reason: str
    """Why it failed, in kubectl's words where it has any; empty where it did not."""


@dataclass(slots=True)
class Api:
    """One cluster by one kubectl."""

    options: Options
    processes: Processes
    dead: str = ""
    """Why no more is asked; empty while the API server answers."""

    refused: Mapping[Need | None, str] = field(default_factory=dict)
    """What is not asked for, because the API server said that it may not be."""

    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(  # noqa: PLR0913 - each has its default
        self,
        arguments: tuple[str, ...],
        consume: Callable[[BinaryIO], T],
        *,
        timeout: float | None = None,
        stdin: bytes = b"",
        attempts: int = 1 + len(_PAUSES),
        need: Need | None = None,
    ) -> Answer[T]:
        """Run kubectl until it succeeds, fails for good, or was tried often enough; not at all where it is refused."""
        if need in self.refused:
            command = self.invocation(arguments)
            ended = Ended(command, datetime.now(UTC), 0, NOT_STARTED, "")
            return Answer(ended, consume(io.BytesIO()), Failure.FORBIDDEN, self.refused[need])
        seconds = self.options.command_seconds if timeout is None else timeout
        for attempt in range(attempts):
            if self.dead:
                seconds = 0.0
            answer = self._once(arguments, consume, seconds, stdin)
            if answer.failure not in {Failure.BUSY, Failure.LOST} or attempt == attempts - 1:
                break
            if self.dead or not self.processes.pause(_PAUSES[attempt]):
                break
        if answer.failure in {Failure.LOST, Failure.LATE}:
            self._check_life(answer.reason)
        return answer

    def raw(self, path: str, *, attempts: int = 1 + len(_PAUSES)) -> Answer[bytes]:
        """Return what the API server answers for a path."""
        return self.ask(raw_get(path), lambda stream: stream.read(), attempts=attempts)

    def invocation(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """Return the whole command line."""
        flags: list[str] = []
        if self.options.kubeconfig:
            flags.append(f"--kubeconfig={self.options.kubeconfig}")
        if self.options.context:
            flags.append(f"--context={self.options.context}")
        return (self.options.kubectl, *flags, *arguments)

    def _once(
        self,
        arguments: tuple[str, ...],
        consume: Callable[[BinaryIO], T],
        seconds: float,
        stdin: bytes,
    ) -> Answer[T]:
        ended, content = self.processes.run(
            self.invocation(arguments), consume, timeout=seconds, stdin=stdin
        )
        failure = self._failure(ended)
        reason = "" if failure is None else self._reason(ended, failure)
        return Answer(ended, content, failure, reason)

    def _failure(self, ended: Ended) -> Failure | None:
        if ended.ok:
            return None
        if self.dead:
            return Failure.LOST
        if ended.interrupted:
            return Failure.STOPPED
        if ended.timed_out_after is not None:
            return Failure.LATE
        return failure_of(ended)

    def _reason(self, ended: Ended, failure: Failure) -> str:
        if self.dead and ended.timed_out_after == 0:
            return self.dead
        if failure is Failure.STOPPED:
            return self.processes.why_stopped
        if failure is Failure.LATE:
            if ended.timed_out_after is not None and ended.timed_out_after < 1:
                return _("not asked: the time for the whole collection was over")
            return _("timed out after {seconds:.0f} s", seconds=ended.timed_out_after)
        return complaint(ended.stderr) or _("exit status {status}", status=ended.exit_code)

    def _check_life(self, reason: str) -> None:
        """After a lost connection or a timeout, find out whether the API server answers at all."""
        with self._lock:
            if self.dead or self.processes.stopped:
                return
            ended, _answer = self.processes.run(
                self.invocation(raw_get("/version")),
                lambda stream: stream.read(),
                timeout=min(_PROBE_SECONDS, self.options.command_seconds),
            )
            lost = not ended.ok and not ended.interrupted
            if lost and (ended.timed_out_after is not None or failure_of(ended) is Failure.LOST):
                self.dead = _("the API server does not answer: {reason}", reason=reason)


def raw_get(path: str) -> tuple[str, ...]:
    """Return kubectl's arguments that get a path of the API."""
    return ("get", "--raw", path)


def failure_of(ended: Ended) -> Failure:
    """Tell from what kubectl said why it failed."""
    said = ended.stderr
    if ended.exit_code == NOT_STARTED and "cannot be started" in said:
        return Failure.NOT_STARTED
    if _NO_LOGIN.search(said):
        return Failure.UNAUTHORIZED
    if _BEHIND_SERVER.search(said):
        return Failure.OTHER
    reason = _REASON.search(said)
    if reason:
        return _BY_REASON.get(reason["reason"], Failure.OTHER)
    if not _FROM_SERVER.search(said) and _LOST.search(said):
        return Failure.LOST
    return Failure.OTHER


def complaint(stderr: str) -> str:
    """Return the line of an error output that says why, short and without credentials."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = [
        line
        for line in lines
        if not line.startswith(("Warning:", "Defaulted container", "W", "I0", "I1"))
    ]
    best = next(
        (line for line in said if line.lower().startswith(("error", "the connection"))), None
    )
    text = without_credentials(best or (said[-1] if said else lines[-1] if lines else ""))
    return text[:_REASON_BYTES]

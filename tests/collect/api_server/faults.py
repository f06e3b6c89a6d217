"""Faults that a test orders: which requests, from which on, and what happens to them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum


class Action(Enum):
    """What happens to a request besides an answer with a `Status`."""

    ANSWER = "answer with the code"
    HANG = "never answer"
    STALL = "send the half of the body, then nothing"
    CUT = "send the half of the body, then end the connection"
    RESET = "end the connection without an answer"
    MUTE = "run the command to its end, and say nothing of how it ended"
    DIE = "send the half of the body, then be gone for every client"


@dataclass(slots=True)
class Fault:
    """A fault and the requests that it hits."""

    where: str
    """Regular expression that is searched in `METHOD path?query`."""

    action: Action = Action.ANSWER
    code: int = 500
    message: str = ""
    first: int = 1
    """The first of the matching requests that is hit, from 1."""

    times: int | None = None
    """How many are hit; None for all that follow."""

    retry_after: int = 1
    """Seconds that an answer 429 names."""

    after: int = 20_000
    """Bytes of output after which it happens to a command that runs."""

    hits: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)

    def strikes(self, request: str) -> bool:
        """Count a request and tell whether this fault hits it."""
        if not re.search(self.where, request):
            return False
        self._seen += 1
        last = None if self.times is None else self.first + self.times - 1
        if self._seen < self.first or (last is not None and self._seen > last):
            return False
        self.hits += 1
        return True

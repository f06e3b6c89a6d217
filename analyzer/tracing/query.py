"""What is asked of `svcbundle trace`, in the user's words."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from analyzer.language import _
from analyzer.phrases import shortened

PROTOCOLS = ("TCP", "UDP", "SCTP")


class TraceQuery(msgspec.Struct, frozen=True):
    """One question."""

    source: str
    destination: str
    protocol: str = ""
    """Empty for the one of the Service's port, else TCP; spelled in any case."""

    problem: str = ""
    """Why it cannot be answered; empty where it is well-formed."""


def query_of(line: str) -> TraceQuery:
    """Return the query on a line of JSON; what is none gives one that nobody can answer."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    values = found if isinstance(found, dict) else {}
    source, destination, protocol = (
        value if isinstance(value := values.get(key), str) else ""
        for key in ("from", "to", "protocol")
    )
    if source and destination:
        return TraceQuery(source, destination, protocol)
    problem = _("not a JSON object with the strings from and to: {line}", line=shortened(line))
    return TraceQuery(source or shortened(line), destination, protocol, problem)

"""What is asked of `svcbundle trace`, in the user's words."""

from __future__ import annotations

import json
from typing import Any

import msgspec

PROTOCOLS = ("TCP", "UDP", "SCTP")


class TraceQuery(msgspec.Struct, frozen=True):
    """One question."""

    source: str
    destination: str
    protocol: str = ""
    """Empty for the one of the Service's port, else TCP; spelled in any case."""


def query_of(line: str) -> TraceQuery:
    """Return the query on a line of JSON; what is none gives one that nobody can answer."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return TraceQuery(line.strip(), "")
    values = (found.get(key) for key in ("from", "to", "protocol"))
    source, destination, protocol = (v if isinstance(v, str) else "" for v in values)
    return TraceQuery(source, destination, protocol)

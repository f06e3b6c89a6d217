"""Where a rule or a KUBE-SEP chain sends a connection."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from analyzer.model.address import canonical_ip
from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.ruleset import Rule
from analyzer.observe.conditions import ConditionReader, host_of, protocol_of
from analyzer.observe.marks import MARKING, Marks

SAME_PORT = 0
"""Port of an endpoint whose DNAT names none: the connection keeps its own."""

_DESTINATION = re.compile(
    r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<v4>[0-9.]+)|(?P<bare>[0-9a-fA-F]*:[0-9a-fA-F:.]+))(?::(?P<port>\d{1,5}))?",
    re.ASCII,
)
_TRANSLATING = {"DNAT", "REDIRECT"}


class EndpointChain(Struct, frozen=True, eq=False):
    """What a KUBE-SEP chain does with a connection of one protocol."""

    destination: Rule | None
    """The rule that translates the address; None where none does, so that the connection returns to the caller."""

    endpoint: Endpoint | None
    """None also where the destination is no single address and port."""

    hairpin_masquerade: bool
    """True when a connection from the endpoint itself is marked for masquerading."""


def translates(rule: Rule) -> bool:
    """Tell whether the rule translates the destination."""
    return rule.target in _TRANSLATING


def endpoint_of(rule: Rule) -> Endpoint | None:
    """Return the one address and port that a DNAT rule sends to; None for a range, a REDIRECT or nonsense."""
    if rule.target != "DNAT":
        return None
    return _endpoint(rule.value("--to-destination") or "")


@lru_cache(maxsize=1 << 17)
def _endpoint(destination: str) -> Endpoint | None:
    """Return what a destination means; most are the same on all nodes."""
    found = _DESTINATION.fullmatch(destination)
    if found is None:
        return None
    address = found["v4"] or canonical_ip(found["v6"] or found["bare"])
    return Endpoint(address, int(found["port"] or SAME_PORT))


def read_endpoint_chain(
    rules: list[Rule], protocol: Protocol, conditions: ConditionReader, marks: Marks
) -> EndpointChain:
    """Return what the rules of a KUBE-SEP chain do: mark connections of the endpoint itself, then translate."""
    marked: list[str | None] = []
    for rule in rules:
        found = conditions.of(rule)
        if found.unknown:
            continue
        values = rule.values
        if found.protocol is not None and protocol_of(values[found.protocol]) is not protocol:
            continue
        target = rule.target
        if target in MARKING and marks.masquerades(rule):
            if not found.source_negated:
                marked.append(None if found.source is None else values[found.source])
        elif found.source is None and target in {"RETURN", "ACCEPT"}:
            break
        elif found.source is None and target in _TRANSLATING:
            endpoint = endpoint_of(rule)
            hosts = [None if source is None else host_of(source) for source in marked]
            own = None in marked or (endpoint is not None and endpoint.address in hosts)
            return EndpointChain(rule, endpoint, own)
    return EndpointChain(None, None, hairpin_masquerade=False)

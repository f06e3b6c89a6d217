"""Where a rule or a KUBE-SEP chain sends a connection."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from analyzer.model.address import canonical_ip
from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.ruleset import Rule
from analyzer.observe.conditions import ConditionReader, host_of, protocol_of
from analyzer.observe.marks import Marks

SAME_PORT = 0
"""Port of an endpoint whose DNAT names none: the connection keeps its own."""

_DESTINATION = re.compile(
    r"(?:([0-9.]+)|\[([0-9a-fA-F:.]+)\]|([0-9a-fA-F]*:[0-9a-fA-F:.]+))(?::(\d{1,5}))?",
    re.ASCII,
)
"""IPv4 address, IPv6 address in brackets or, without port, without; port."""

_TRANSLATING = {"DNAT", "REDIRECT"}
_ENDING = {"RETURN", "ACCEPT"}


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
    found = _DESTINATION.fullmatch(rule.value("--to-destination") or "")
    if found is None:
        return None
    v4, v6, bare, port = found.groups()
    address = v4 or canonical_ip(v6 or bare)
    return Endpoint(address, int(port or SAME_PORT))


def read_endpoint_chain(
    rules: Iterable[Rule], protocol: Protocol, marks: Marks, conditions: ConditionReader
) -> EndpointChain:
    """Return what the rules of a KUBE-SEP chain do: mark connections of the endpoint itself, then translate."""
    marked: list[str | None] = []
    for rule in rules:
        found, values = conditions[rule.shape], rule.values
        if found.unknown or (
            found.protocol is not None and protocol_of(values[found.protocol]) is not protocol
        ):
            continue
        if found.source is not None:
            if marks.masquerades(rule) and not found.source_negated:
                marked.append(values[found.source])
        elif (target := rule.target) in _TRANSLATING:
            endpoint = endpoint_of(rule)
            own = None in marked or (
                endpoint is not None and endpoint.address in map(host_of, filter(None, marked))
            )
            return EndpointChain(rule, endpoint, own)
        elif marks.masquerades(rule):
            marked.append(None)
        elif target in _ENDING:
            break
    return EndpointChain(None, None, hairpin_masquerade=False)

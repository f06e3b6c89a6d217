"""Where a rule or a KUBE-SEP chain sends a connection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from analyzer.model.address import canonical_ip
from analyzer.model.forwarding import Endpoint, Protocol
from analyzer.model.ruleset import Rule, Shape
from analyzer.observe.conditions import host_of, protocol_of
from analyzer.observe.marks import Marks
from analyzer.observe.rule_conditions import conditions_of

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
    found = _DESTINATION.fullmatch(rule.value("--to-destination") or "")
    if found is None:
        return None
    address = found["v4"] or canonical_ip(found["v6"] or found["bare"])
    return Endpoint(address, int(found["port"] or SAME_PORT))


def read_endpoint_chain(rules: Sequence[Rule], protocol: Protocol, marks: Marks) -> EndpointChain:
    """Return what the rules of a KUBE-SEP chain do: mark connections of the endpoint itself, then translate."""
    content = tuple([(rule.shape, rule.values) for rule in rules])
    found = _read(content, protocol, marks.masquerade, marks.masquerade_chain_works)
    if found is None:
        return EndpointChain(None, None, hairpin_masquerade=False)
    return EndpointChain(rules[found.place], found.endpoint, found.hairpin_masquerade)


class _Translation(Struct, frozen=True):
    """A KUBE-SEP chain wherever it stands."""

    place: int
    """Position of the rule that translates."""

    endpoint: Endpoint | None
    hairpin_masquerade: bool


@lru_cache(maxsize=1 << 15)
def _read(
    content: tuple[tuple[Shape, tuple[str, ...]], ...], protocol: Protocol, *marks: int
) -> _Translation | None:
    """Return what rules of these shapes and values do, which are the same on most nodes; None for no translation."""
    masquerade, chain_works = marks
    reader = Marks(masquerade, bool(chain_works))
    marked: list[str | None] = []
    for place, (shape, values) in enumerate(content):
        rule, found = Rule(shape, values, 0, None), conditions_of(shape)
        if found.unknown:
            continue
        if found.protocol is not None and protocol_of(values[found.protocol]) is not protocol:
            continue
        if reader.masquerades(rule):
            if not found.source_negated:
                marked.append(None if found.source is None else values[found.source])
        elif found.source is None and rule.target in {"RETURN", "ACCEPT"}:
            break
        elif found.source is None and translates(rule):
            endpoint = endpoint_of(rule)
            hosts = [None if source is None else host_of(source) for source in marked]
            own = None in marked or (endpoint is not None and endpoint.address in hosts)
            return _Translation(place, endpoint, own)
    return None

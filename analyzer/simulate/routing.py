"""Where a host sends a packet: `ip rule` and `ip route`, by longest prefix, as ip-rule(8) and ip-route(8) say."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import NamedTuple

from analyzer.language import _
from analyzer.model.node import Route, RoutePolicyRule
from analyzer.model.ruleset import Family
from analyzer.simulate.address import Block, block, family_of, number

_TABLE_NAMES = {"255": "local", "254": "main", "253": "default", "0": "all", "": "main"}


class RouteKind(Enum):
    """What becomes of a packet."""

    __hash__ = object.__hash__

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    ANYCAST = "anycast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    NONE = "none"
    """No route."""

    UNKNOWN = "unknown"
    """A rule of `ip rule` that is not modelled decides."""


class Hop(NamedTuple):
    """Out of which interface, and to whom."""

    device: str | None
    """None where the bundle does not tell."""

    gateway: int | None
    """None for a neighbour: the destination itself."""

    weight: int = 1
    """Of several hops: how much more connections it gets than one of weight 1."""


def shares(hops: Sequence[Hop]) -> list[tuple[Hop, Fraction]]:
    """Return each hop with the part of all connections that it gets."""
    total = sum(hop.weight for hop in hops)
    return [(hop, Fraction(hop.weight, total)) for hop in hops]


class Chosen(NamedTuple):
    """How a packet of the host itself was routed."""

    answer: RouteAnswer
    hop: Hop


class RouteKey(NamedTuple):
    """What a lookup depends on."""

    destination: int
    source: int = 0
    in_interface: str | None = "lo"
    mark: int = 0
    only_by: str | None = None
    """None for any interface, else the one that a route has to lead out of."""


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """The outcome of a lookup."""

    kind: RouteKind
    hops: tuple[Hop, ...] = ()
    """More than one for a multipath route: the kernel takes one by a hash."""

    preferred_source: int | None = None
    route: Route | None = None
    reason: str = ""
    """What decides, where the kind is UNKNOWN."""


class Policy(NamedTuple):
    """One rule of `ip rule`, taken apart."""

    negated: bool
    source: Block | None
    destination: Block | None
    mark: Block | None
    in_interface: str | None
    never: bool
    """True for `oif`, which only sockets match that are bound to an interface, and where there is no such `iif`."""

    unmodelled: str
    """The word of a selector that is not modelled; empty where all are."""

    table: str
    """Where to look; empty for another action."""

    longer_than: int
    """Routes with at most this prefix length are ignored (`suppress_prefixlength`); -1 for none."""

    ends: RouteKind | None = None
    """What becomes of the packet where the rule itself says so (`blackhole`, `prohibit`)."""

    goes_to: int | None = None
    """Priority of the rule to go on with (`goto`); without such a rule nothing happens."""


class Routes:
    """The routing tables of one family on one host."""

    def __init__(
        self, family: Family, routes: Iterable[Route], rules: Iterable[RoutePolicyRule]
    ) -> None:
        own = [r for r in routes if family_of(r.destination) is family]
        self._tables = _tables(own)
        ordered = sorted(rules, key=lambda r: r.priority)
        self._priorities = [r.priority for r in ordered]
        listed = [_policy(r) for r in ordered]
        self._policies = listed or [_lookup_in(t) for t in ("local", "main", "default")]

    def lookup(self, key: RouteKey) -> RouteAnswer:
        """Return what the kernel would do with a packet."""
        return self._from(0, key)

    def local_kind(self, address: int) -> tuple[RouteKind, str | None]:
        """Return kind and device of an address in the table `local` (what `-m addrtype` asks)."""
        found = self._find("local", address, -1, None)
        if found is None:
            return RouteKind.UNICAST, None
        return found.kind, found.hops[0].device if found.hops else None

    def _from(self, start: int, key: RouteKey) -> RouteAnswer:
        for position in range(start, len(self._policies)):
            policy = self._policies[position]
            applies = _applies(policy, key)
            if applies is False:
                continue
            found = self._obey(policy, position, key)
            if applies is None:
                return self._either(found, position, key, policy.unmodelled)
            if found is not None:
                return found
        return RouteAnswer(RouteKind.NONE)

    def _obey(self, policy: Policy, position: int, key: RouteKey) -> RouteAnswer | None:
        """Return what a rule that applies leads to, or None where the next one is asked."""
        if policy.ends is not None:
            return RouteAnswer(policy.ends, reason=policy.unmodelled)
        if policy.goes_to is not None:
            there = bisect_left(self._priorities, policy.goes_to, lo=position + 1)
            found = there < len(self._priorities) and self._priorities[there] == policy.goes_to
            return self._from(there, key) if found else None
        return self._find(policy.table, key.destination, policy.longer_than, key.only_by)

    def _either(
        self, found: RouteAnswer | None, position: int, key: RouteKey, word: str
    ) -> RouteAnswer:
        if found is not None and found.kind is RouteKind.UNKNOWN:
            return found
        without = self._from(position + 1, key)
        if found is None or (found.kind, found.hops) == (without.kind, without.hops):
            return without
        return RouteAnswer(RouteKind.UNKNOWN, reason=_("ip rule selects by {word}", word=word))

    def _find(
        self, table: str, destination: int, longer_than: int, only_by: str | None
    ) -> RouteAnswer | None:
        for length, mask, entries in self._tables.get(table, ()):
            if length <= longer_than:
                return None
            listed = entries.get(destination & mask)
            if listed is None:
                continue
            leading = (a for a in listed if only_by is None or _leads_out_of(a, only_by))
            found = next(leading, None)
            if found is not None:
                return None if found.reason == "throw" else found
        return None


class _Prefixes(NamedTuple):
    length: int
    mask: int
    entries: dict[int, list[RouteAnswer]]
    """Those that count for a destination come first."""


def _tables(routes: list[Route]) -> Mapping[str, tuple[_Prefixes, ...]]:
    tables: dict[str, dict[int, _Prefixes]] = {}
    for route in sorted(routes, key=lambda r: r.metric):
        covered = block(route.destination)
        if covered is None or "dead" in route.flags:
            continue
        table = tables.setdefault(_TABLE_NAMES.get(route.table, route.table), {})
        length = covered.mask.bit_count()
        prefixes = table.setdefault(length, _Prefixes(length, covered.mask, {}))
        prefixes.entries.setdefault(covered.value, []).append(_answer(route))
    return {
        name: tuple(sorted(table.values(), key=lambda p: -p.length))
        for name, table in tables.items()
    }


def _leads_out_of(answer: RouteAnswer, device: str) -> bool:
    return any(hop.device == device for hop in answer.hops)


def _answer(route: Route) -> RouteAnswer:
    if route.kind == "throw":
        return RouteAnswer(RouteKind.NONE, reason=_("throw"))
    listed = route.nexthops or ((route.gateway, route.device),)
    weights = route.weights or (1,) * len(listed)
    hops = tuple(
        Hop(device or None, number(gateway) if gateway else None, weight)
        for (gateway, device), weight in zip(listed, weights, strict=True)
    )
    kinds = {k.value: k for k in RouteKind}
    return RouteAnswer(
        kinds.get(route.kind or "unicast", RouteKind.UNICAST),
        hops,
        number(route.preferred_source) if route.preferred_source else None,
        route,
    )


def _applies(policy: Policy, key: RouteKey) -> bool | None:
    tests = (
        not policy.never,
        policy.source is None or policy.source.holds(key.source),
        policy.destination is None or policy.destination.holds(key.destination),
        policy.mark is None or policy.mark.holds(key.mark),
        _same_interface(policy.in_interface, key.in_interface),
        None if policy.unmodelled else True,
    )
    if False in tests:
        return policy.negated
    if None in tests:
        return None
    return not policy.negated


def _same_interface(wanted: str | None, actual: str | None) -> bool | None:
    if wanted is None:
        return True
    return None if actual is None else wanted == actual


def _lookup_in(table: str) -> Policy:
    return Policy(False, None, None, None, None, False, "", table, -1)


def _policy(rule: RoutePolicyRule) -> Policy:
    words = iter(rule.selector.split())
    policy = _acting(rule, _lookup_in(_TABLE_NAMES.get(rule.table, rule.table)))
    for word in words:
        try:
            policy = _with_word(policy, word, words)
        except ValueError:
            policy = policy._replace(unmodelled=word)
    return policy


def _acting(rule: RoutePolicyRule, policy: Policy) -> Policy:
    if rule.table:
        return policy
    match rule.action.split():
        case ["nop"]:
            return policy._replace(table="")
        case ["goto", priority, *_unresolved] if priority.isdecimal():
            return policy._replace(table="", goes_to=int(priority))
        case ["blackhole" | "unreachable" | "prohibit" as kind]:
            return policy._replace(table="", ends=RouteKind(kind))
        case _:
            selector = f"{rule.selector} {rule.action}".strip()
            text = _("ip rule {priority}: {selector}", priority=rule.priority, selector=selector)
            return policy._replace(table="", ends=RouteKind.UNKNOWN, unmodelled=text)


def _with_word(policy: Policy, word: str, words: Iterator[str]) -> Policy:
    match word:
        case "not":
            return policy._replace(negated=True)
        case "from":
            return policy._replace(source=_selected(next(words, "")))
        case "to":
            return policy._replace(destination=_selected(next(words, "")))
        case "fwmark":
            value, _, mask = next(words, "").partition("/")
            bits = int(mask or "0xffffffff", 0)
            return policy._replace(mark=Block(int(value, 0) & bits, bits))
        case "iif":
            return policy._replace(in_interface=next(words, ""))
        case "oif":
            next(words, "")
            return policy._replace(never=True)
        case "[detached]":
            return policy._replace(never=True)
        case "suppress_prefixlength":
            return policy._replace(longer_than=int(next(words, "")))
        case "lookup" | "table" | "pref" | "priority" | "protocol" | "proto":
            next(words, "")
            return policy
        case _:
            return policy._replace(unmodelled=policy.unmodelled or word)


def _selected(text: str) -> Block | None:
    return None if text in {"all", "any", "default"} else block(text) or Block(-1, 0)

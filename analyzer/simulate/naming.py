"""Which addresses are named by rules, routes and settings: two that are named alike are treated alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple, Protocol

from analyzer.model.ip_set import IPSet
from analyzer.model.ruleset import Family, Rule, Shape, unquote
from analyzer.model.source import ParseProblem
from analyzer.simulate.address import WIDTH, block, family_of, number
from analyzer.simulate.machine import SPECIAL_BLOCKS, Machine
from analyzer.simulate.source_address import label_of

_NESTED = 8
"""Sets may hold sets."""


class Test(Protocol):
    """Something that a rule or route may find out about an address."""

    def holds(self, address: int) -> int:
        """Return what comes out."""


@dataclass(frozen=True, slots=True)
class Between:
    """A range of addresses, both ends included."""

    low: int
    high: int

    def holds(self, address: int) -> int:
        """Tell whether an address is one of them."""
        return self.low <= address <= self.high


@dataclass(frozen=True, slots=True)
class Near:
    """An own IPv6 address: the one that shares the longest prefix with a destination becomes the source."""

    own: int

    def holds(self, address: int) -> int:
        """Return how many of the last bits may differ, and the label of the address (RFC 6724)."""
        return (self.own ^ address).bit_length() << 8 | label_of(address)


class Naming(NamedTuple):
    """The addresses that something names."""

    singles: frozenset[int] = frozenset()
    """Named one by one."""

    tests: frozenset[Test] = frozenset()
    """All that is asked of the others."""

    computes: bool = False
    """True where something is computed from an address, so that no two are alike."""


def united(namings: Iterable[Naming]) -> Naming:
    """Return what any of several names."""
    listed = list(namings)
    return Naming(
        frozenset().union(*(n.singles for n in listed)),
        frozenset().union(*(n.tests for n in listed)),
        any(n.computes for n in listed),
    )


def named_by_rules(entries: Iterable[Rule | ParseProblem], sets: Mapping[str, IPSet]) -> Naming:
    """Return the addresses in rules of iptables, in whichever option, and in the IP sets that they ask."""
    rules = [entry for entry in entries if isinstance(entry, Rule)]
    texts = {rule.values[slot] for rule in rules for slot in _telling_slots(rule.shape)}
    asked = texts & sets.keys() if sets else ()
    members = (text for name in asked for text in _members(sets[name], sets, _NESTED))
    found = named_in((*texts, *members))
    return found._replace(computes=any(rule.target == "NETMAP" for rule in rules))


def named_by_host(machine: Machine, family: Family) -> Naming:
    """Return the addresses that routes, own addresses and connections of a host name."""
    host = machine.host
    routes = (r.destination for r in host.routes)
    subnets = (f"{a.address}/{a.prefix_length}" for a in host.addresses)
    selected = (word for rule in host.route_rules for word in rule.selector.split())
    found = named_in((*routes, *subnets, *selected))
    own = frozenset(machine.device_of)
    tests: frozenset[Test] = found.tests | SPECIAL_BLOCKS
    if family is Family.IPV6:
        tests |= {Near(address) for address in own}
    return Naming(found.singles | own | machine.sent_before.keys(), tests)


def named_in(texts: Iterable[str]) -> Naming:
    """Return the addresses that texts hold: addresses, CIDRs and ranges, with ports or as parts of a longer list."""
    singles: set[int] = set()
    tests: set[Test] = set()
    for text in texts:
        for found in _tests_in(text):
            if isinstance(found, int):
                singles.add(found)
            else:
                tests.add(found)
    return Naming(frozenset(singles), frozenset(tests))


@cache
def _telling_slots(shape: Shape) -> tuple[int, ...]:
    """Return the slots of a rule's values that may name an address or a set."""
    comment = {shape.slot_of["--comment"]} if "--comment" in shape.slot_of else set()
    return tuple(slot for slot in range(1, len(shape.literals) - 1) if slot not in comment)


def _members(found: IPSet, sets: Mapping[str, IPSet], depth: int) -> Iterator[str]:
    for member in found.members:
        yield member.element
        inner = sets.get(member.element)
        if inner is not None and depth:
            yield from _members(inner, sets, depth - 1)


@lru_cache(maxsize=1 << 16)
def _tests_in(text: str) -> tuple[int | Test, ...]:
    if "." not in text and ":" not in text:
        return ()
    return tuple(t for part in unquote(text).split(",") if (t := _test_in(part)) is not None)


def _test_in(text: str) -> int | Test | None:
    covered = block(text)
    if covered is not None:
        width = WIDTH[family_of(text)]
        return covered.value if covered.mask.bit_count() == width else covered
    first, _, last = _without_port(text).partition("-")
    low = number(first)
    high = number(last) if last else low
    if low is None or high is None:
        return None
    return low if low == high else Between(low, high)


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text

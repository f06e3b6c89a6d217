"""The address that a host takes for what it sends or masquerades (`inet_select_addr`, `ipv6_dev_get_saddr`)."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.model.node import InterfaceAddress
from analyzer.model.ruleset import Family
from analyzer.simulate.address import block, family_of, number
from analyzer.simulate.machine import LINK_LOCAL, Machine, loopback
from analyzer.simulate.routing import RouteAnswer, RouteKind

_GLOBAL_SCOPE, _LINK_SCOPE = 14, 2
_NOT_ENOUGH = 128
"""What the kernel takes off where an address does not reach as far as the destination."""

_LABELS = tuple(
    (found, label)
    for text, label in (
        ("::1/128", 0), ("::/96", 3), ("::ffff:0:0/96", 4), ("2001::/32", 6), ("2001:10::/28", 7),
        ("3ffe::/16", 12), ("2002::/16", 2), ("fec0::/10", 11), ("fc00::/7", 5), ("::/0", 1),
    )
    if (found := block(text)) is not None
)  # fmt: skip
"""Addresses that belong together, the most specific first (`net/ipv6/addrlabel.c`, RFC 6724)."""


def source_by(
    machine: Machine, family: Family, answer: RouteAnswer, destination: int
) -> int | None:
    """Return the address of a packet that a host sends by a route, or None for none."""
    if answer.preferred_source is not None:
        return answer.preferred_source
    if answer.kind is RouteKind.LOCAL:
        return destination
    if not answer.hops:
        return None
    hop = answer.hops[0]
    return source_towards(machine, family, hop.device, destination, hop.gateway)


def source_towards(
    machine: Machine, family: Family, device: str | None, destination: int, gateway: int | None
) -> int | None:
    """Return the address that the kernel takes for packets out of an interface, or None for none.

    IPv4: the first address whose subnet has the next hop, else the first one, else one of another
    interface. IPv6: the one that is nearest to the destination by the rules of RFC 6724.
    """
    host = machine.host
    if device is None or not host.addresses:
        own = [v for t in host.internal_addresses if (v := number(t)) is not None]
        return next((v for v in own if (v >= 1 << 32) == (family is Family.IPV6)), None)
    listed = [a for a in host.addresses if family_of(a.address) is family]
    if family is Family.IPV6:
        return _nearest(listed, device, destination)
    return _first(listed, device, destination if gateway is None else gateway)


def _first(listed: Iterable[InterfaceAddress], device: str, target: int) -> int | None:
    usable = [a for a in listed if not loopback(Family.IPV4, number(a.address) or 0)]
    here = [a for a in usable if a.interface == device]
    for item in here:
        subnet = block(f"{item.address}/{item.prefix_length}")
        if subnet is not None and subnet.holds(target):
            return number(item.address)
    return next((number(a.address) for a in (*here, *usable)), None)


def _nearest(listed: Iterable[InterfaceAddress], device: str, destination: int) -> int | None:
    rated = [
        (_rate(item, value, device, destination), value)
        for item in listed
        if (value := number(item.address)) is not None
    ]
    return max(rated, key=lambda r: r[0], default=((), None))[1]


def _rate(item: InterfaceAddress, value: int, device: str, destination: int) -> tuple[int, ...]:
    """Return how well an address suits, rule by rule: the same, scope, interface, label, prefix."""
    scope, wanted = _scope(value), _scope(destination)
    equal_bits = 128 - (value ^ destination).bit_length()
    return (
        int(value == destination),
        -scope if scope >= wanted else scope - _NOT_ENOUGH,
        int(item.interface == device),
        int(label_of(value) == label_of(destination)),
        min(equal_bits, item.prefix_length),
    )


def _scope(value: int) -> int:
    near = LINK_LOCAL.holds(value) or loopback(Family.IPV6, value)
    return _LINK_SCOPE if near else _GLOBAL_SCOPE


def label_of(value: int) -> int:
    """Return which IPv6 addresses one belongs to."""
    return next(label for covered, label in _LABELS if covered.holds(value))


def first_address(
    machine: Machine, family: Family, device: str | None, destination: int
) -> int | None:
    """Return the address of an interface that REDIRECT leads to, or None where it has none.

    IPv4: the first one. IPv6: the first one that reaches as far as the destination (`nf_nat_redirect_ipv6`).
    """
    for item in machine.host.addresses:
        value = number(item.address)
        if value is None or item.interface != device or family_of(item.address) is not family:
            continue
        if family is Family.IPV4 or _scope(value) == _scope(destination):
            return value
    return None

"""What the kernel takes an address for: `-m addrtype` of iptables, `fib … type` of nft."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.model.ruleset import Family
from analyzer.simulate.address import block
from analyzer.simulate.machine import LIMITED_BROADCAST, MULTICAST, UNSPECIFIED, Machine
from analyzer.simulate.routing import RouteKey, RouteKind

_ASKED_BY_ROUTE = frozenset({RouteKind.LOCAL, RouteKind.ANYCAST, RouteKind.UNREACHABLE})
_ASKED_BY_TYPE = frozenset({RouteKind.UNICAST, RouteKind.MULTICAST})
_REFUSING = frozenset(
    {RouteKind.BLACKHOLE, RouteKind.UNREACHABLE, RouteKind.PROHIBIT, RouteKind.NONE}
)
_ROUTERS_PREFIX = 127
"""Shorter prefixes have an address of all their routers: the one that is the prefix itself (RFC 4291)."""


def address_kind(
    machine: Machine, family: Family, address: int, device: str | None = None
) -> RouteKind:
    """Return what an address is to a host, on one interface only if that is given; UNKNOWN where that hangs on routes.

    IPv4: by the table `local` alone (`__inet_dev_addr_type`). IPv6: by its route (`nft_fib6_eval_type`).
    """
    if MULTICAST[family].holds(address):
        return RouteKind.MULTICAST
    if family is Family.IPV4:
        if address in {UNSPECIFIED, LIMITED_BROADCAST}:
            return RouteKind.BROADCAST
        kind, owner = machine.routes(family).local_kind(address)
        return kind if device is None or owner == device else RouteKind.UNICAST
    if device is not None:
        here = _is_local_on(machine, address, device)
        return RouteKind.LOCAL if here else RouteKind.UNICAST
    found = _kind_by_route(machine, address)
    return RouteKind.UNREACHABLE if found is RouteKind.NONE else found


def is_any_of(
    machine: Machine, family: Family, address: int, kinds: Iterable[RouteKind], device: str | None
) -> bool | None:
    """Tell whether `-m addrtype` finds an address to be of one of some kinds; None where that is not known.

    IPv6 (`addrtype_mt6`, Linux 6.1): UNICAST and MULTICAST have to hold if asked for, of the others any.
    """
    wanted = frozenset(kinds)
    if family is Family.IPV4:
        return address_kind(machine, family, address, device) in wanted
    kind = RouteKind.MULTICAST if MULTICAST[family].holds(address) else RouteKind.UNICAST
    if not wanted & _ASKED_BY_TYPE <= {kind}:
        return False
    by_route = wanted & _ASKED_BY_ROUTE
    if not by_route:
        return True
    if device is not None:
        if RouteKind.LOCAL in by_route and _is_local_on(machine, address, device):
            return True
        return False if by_route == {RouteKind.LOCAL} else None
    found = _kind_by_route(machine, address)
    if found is RouteKind.UNKNOWN:
        return None
    return (RouteKind.UNREACHABLE if found in _REFUSING else found) in by_route


def _is_local_on(machine: Machine, address: int, device: str) -> bool:
    kind, owner = machine.routes(Family.IPV6).local_kind(address)
    return kind is RouteKind.LOCAL and owner == device


def _kind_by_route(machine: Machine, address: int) -> RouteKind:
    """Return what the route to an IPv6 address makes it (`ipv6_anycast_destination`)."""
    answer = machine.routes(Family.IPV6).lookup(RouteKey(address))
    if answer.kind is not RouteKind.UNICAST or answer.route is None:
        return answer.kind
    covered = block(answer.route.destination)
    of_routers = (
        covered is not None
        and covered.value == address
        and covered.mask.bit_count() < _ROUTERS_PREFIX
        and not any(hop.gateway is not None for hop in answer.hops)
    )
    return RouteKind.ANYCAST if of_routers else RouteKind.UNICAST

"""Output of `ip -j` (iproute2 4.13 and later)."""

from __future__ import annotations

from msgspec import Struct

from analyzer.language import _
from analyzer.model.node import InterfaceAddress, Link, Route
from analyzer.model.source import ObjectRef
from analyzer.parse.ip_destination import cidr_of
from analyzer.parse.json_items import read_items
from analyzer.parse.json_records import decode_each
from analyzer.parse.parsed import Parsed


class _AddressInfo(Struct, frozen=True):
    local: str = ""
    prefixlen: int = 0


class _SlaveData(Struct, frozen=True):
    hairpin: bool | None = None


class _LinkInfo(Struct, frozen=True):
    info_kind: str = ""
    info_slave_data: _SlaveData | None = None


class _Interface(Struct, frozen=True):
    ifname: str = ""
    flags: list[str] = []
    mtu: int | None = None
    master: str = ""
    promiscuity: int | None = None
    linkinfo: _LinkInfo = _LinkInfo()
    addr_info: list[_AddressInfo] = []


class _Via(Struct, frozen=True):
    """A gateway of another family than the destination."""

    host: str = ""


class _NextHop(Struct, frozen=True):
    gateway: str = ""
    via: _Via | None = None
    dev: str = ""
    weight: int = 1
    flags: list[str] = []


class _Route(Struct, frozen=True):
    type: str = "unicast"
    dst: str = ""
    gateway: str = ""
    via: _Via | None = None
    dev: str = ""
    table: str | int = "main"
    metric: int = 0
    protocol: str | int = ""
    prefsrc: str = ""
    pref: str = ""
    """Router preference, which only IPv6 has."""

    flags: list[str] = []
    nexthops: list[_NextHop] = []


def addresses_of_json(path: str, text: str) -> Parsed[tuple[InterfaceAddress, ...]]:
    """Return the addresses of `ip -j addr`."""
    source = read_items(path, text.encode(errors="replace"))
    interfaces = decode_each(source, _Interface)
    addresses = tuple(
        InterfaceAddress(
            interface.ifname,
            info.local,
            info.prefixlen,
            ObjectRef(path, index, ("addr_info", position)),
        )
        for index, interface in enumerate(interfaces.value)
        if interface is not None
        for position, info in enumerate(interface.addr_info)
        if info.local
    )
    return Parsed(addresses, (*source.problems, *interfaces.problems))


def links_of_json(path: str, text: str) -> Parsed[tuple[Link, ...]]:
    """Return the interfaces of `ip -j -d link`; empty objects, which old versions print, are passed over."""
    source = read_items(path, text.encode(errors="replace"))
    interfaces = decode_each(source, _Interface)
    links = tuple(
        _link(interface, ObjectRef(path, index))
        for index, interface in enumerate(interfaces.value)
        if interface is not None and interface.ifname
    )
    return Parsed(links, (*source.problems, *interfaces.problems))


def routes_of_json(path: str, text: str) -> Parsed[tuple[Route, ...]]:
    """Return the routes of `ip -j route`."""
    source = read_items(path, text.encode(errors="replace"))
    decoded = decode_each(source, _Route)
    routes: list[Route] = []
    no_network: dict[int, str] = {}
    for index, route in enumerate(decoded.value):
        if route is None or not route.dst:
            continue
        try:
            routes.append(_route(route, ObjectRef(path, index)))
        except ValueError as error:
            no_network[index] = str(error)
    problems = [
        source.file.problem(start, no_network[index], _("a network"), f"{source.where(index)}.dst")
        for index, start in enumerate(source.starts())
        if index in no_network
    ]
    return Parsed(tuple(routes), (*source.problems, *decoded.problems, *problems))


def _link(interface: _Interface, ref: ObjectRef) -> Link:
    slave = interface.linkinfo.info_slave_data
    return Link(
        interface.ifname,
        frozenset(interface.flags),
        interface.mtu,
        interface.linkinfo.info_kind,
        interface.master,
        slave.hairpin if slave else None,
        interface.promiscuity,
        ref,
        ref.at("linkinfo", "info_slave_data", "hairpin") if slave else None,
    )


def _route(route: _Route, ref: ObjectRef) -> Route:
    """Return a route; raise ValueError where its destination or gateway is no address."""
    gateway = route.via.host if route.via else route.gateway
    alive = [n for n in route.nexthops if "dead" not in n.flags] or route.nexthops
    nexthops = tuple((n.via.host if n.via else n.gateway, n.dev) for n in alive)
    destination = cidr_of(
        route.dst,
        gateway=gateway or next((first for first, _ in nexthops if first), ""),
        other_family=bool(route.via or any(n.via for n in route.nexthops)),
        is_v6=bool(route.pref) or route.protocol == "ra",
    )
    return Route(
        route.type,
        destination,
        gateway,
        route.dev,
        str(route.table),
        route.metric,
        ref,
        frozenset(route.flags),
        nexthops,
        preferred_source=route.prefsrc,
        weights=tuple(n.weight for n in alive),
    )

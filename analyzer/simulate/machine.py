"""A host as the kernel has it: routes, addresses, bridges and settings, ready to be asked."""

from __future__ import annotations

from functools import cached_property

from analyzer.model.inputs import Input
from analyzer.model.node import InterfaceAddress, Link, Route
from analyzer.model.ruleset import Family
from analyzer.model.source import NOWHERE, SourceRef
from analyzer.simulate.address import WIDTH, Block, block, family_of, number
from analyzer.simulate.host import Host
from analyzer.simulate.packet import Packet
from analyzer.simulate.routing import RouteAnswer, RouteKey, Routes

STRICT, LOOSE = 1, 2
"""Values of `rp_filter`."""

_LOOPBACK = Block(127 << 24, 255 << 24)
UNSPECIFIED = 0
MULTICAST = {
    Family.IPV4: Block(0xE0 << 24, 0xF0 << 24),
    Family.IPV6: Block(0xFF << 120, 0xFF << 120),
}
LINK_LOCAL = Block(0xFE80 << 112, 0xFFC0 << 112)
LIMITED_BROADCAST = (1 << 32) - 1

SPECIAL_BLOCKS = frozenset(
    {
        _LOOPBACK,
        Block(1, (1 << 128) - 1),
        Block(UNSPECIFIED, (1 << 128) - 1),
        *MULTICAST.values(),
        LINK_LOCAL,
        Block(LIMITED_BROADCAST, LIMITED_BROADCAST),
    }
)
"""Addresses that mean the same on every host."""


class Machine:
    """One host, with its facts indexed; answers None where the bundle does not tell."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.host.name

    # --- addresses ---

    @cached_property
    def device_of(self) -> dict[int, str | None]:
        """Interface by the address it has; None where only the address is known."""
        found: dict[int, str | None] = {
            value: None
            for text in self.host.internal_addresses
            if (value := number(text)) is not None
        }
        for item in self.host.addresses:
            value = number(item.address)
            if value is not None:
                found[value] = item.interface or None
        return found

    def subnet(self, family: Family, device: str | None) -> tuple[Block, ...]:
        """Return the subnets of an interface's addresses, in the order of `ip addr`."""
        return tuple(
            found
            for item in self._addresses(family, device)
            if (found := block(f"{item.address}/{item.prefix_length}")) is not None
        )

    def _addresses(self, family: Family, device: str | None) -> list[InterfaceAddress]:
        return [
            a
            for a in self.host.addresses
            if a.interface == device and family_of(a.address) is family
        ]

    def owns(self, address: int) -> bool:
        """Tell whether an address is one of the host's own."""
        return address in self.device_of

    # --- routes ---

    def routes(self, family: Family) -> Routes:
        """Return the routing tables of a family."""
        return self._routes_v4 if family is Family.IPV4 else self._routes_v6

    @cached_property
    def _routes_v4(self) -> Routes:
        listed = (*self.host.routes, *self._implied_local_routes(Family.IPV4))
        return Routes(Family.IPV4, listed, self.host.route_rules)

    @cached_property
    def _routes_v6(self) -> Routes:
        listed = (*self.host.routes, *self._implied_local_routes(Family.IPV6))
        return Routes(Family.IPV6, listed, ())

    def _implied_local_routes(self, family: Family) -> tuple[Route, ...]:
        known = (r for r in self.host.routes if r.table in {"local", "255"})
        if any(family_of(r.destination) is family for r in known):
            return ()
        implied = [
            _local_route(f"{a.address}/{WIDTH[family]}", a.interface, a)
            for a in self.host.addresses
            if family_of(a.address) is family
        ]
        listed = {a.address for a in self.host.addresses}
        implied += [
            _local_route(f"{text}/{WIDTH[family]}", "")
            for text in self.host.internal_addresses
            if family_of(text) is family and text not in listed
        ]
        return (*implied, _local_route("127.0.0.0/8" if family is Family.IPV4 else "::1/128", "lo"))

    def route(self, packet: Packet) -> RouteAnswer:
        """Return where a packet goes from here; `::1` and `fe80::/10` stay on an interface (`rt6_need_strict`)."""
        arrival = "lo" if packet.local else packet.in_interface
        family, flow = packet.family, packet.flow
        near = loopback(family, flow.destination) or LINK_LOCAL.holds(flow.destination)
        only_by = arrival if family is Family.IPV6 and near and not packet.local else None
        return self.routes(family).lookup(
            RouteKey(flow.destination, flow.source, arrival, packet.mark, only_by)
        )

    # --- connections of before ---

    @cached_property
    def sent_before(self) -> dict[int, frozenset[tuple[int, int]]]:
        """By client: addresses and ports that conntrack shows connections of it to be translated to."""
        found: dict[int, set[tuple[int, int]]] = {}
        for entry in self.host.connections:
            client, backend = number(entry.original.source), number(entry.reply.source)
            if entry.translated and client is not None and backend is not None:
                found.setdefault(client, set()).add((backend, entry.reply.source_port))
        return {client: frozenset(ends) for client, ends in found.items()}

    # --- interfaces and settings ---

    @cached_property
    def _links(self) -> dict[str, Link]:
        return {link.name: link for link in self.host.links}

    def kind_of(self, device: str | None) -> str:
        """Return the kind of an interface (`bridge`, `vxlan`, …); empty where unknown."""
        found = self._links.get(device or "")
        return found.kind if found else ""

    def has_device(self, device: str | None) -> bool:
        """Tell whether there is an interface of that name."""
        return device in self._links or any(a.interface == device for a in self.host.addresses)

    def is_bridge(self, device: str | None) -> bool:
        """Tell whether an interface is a Linux bridge, by `ip link` or because ports of it are listed."""
        if device is None:
            return False
        return (
            self.kind_of(device) == "bridge"
            or any(p.bridge == device for p in self.host.bridge_ports)
            or any(link.master == device and link.kind == "veth" for link in self.host.links)
        )

    def hairpin(self, bridge: str) -> bool | None:
        """Tell whether a packet may leave a bridge by the port it came in; None where ports differ or are unknown."""
        found = self._links.get(bridge)
        if found is not None and ("PROMISC" in found.flags or (found.promiscuity or 0) > 0):
            return True
        modes = {p.hairpin for p in self.host.bridge_ports if p.bridge == bridge}
        if not modes:
            modes = {
                link.hairpin
                for link in self.host.links
                if link.master == bridge and link.hairpin is not None
            }
        return modes.pop() if len(modes) == 1 else None

    def setting(self, name: str) -> int | None:
        """Return the number of a sysctl, or None where it was not read."""
        found = self.host.sysctls.get(name)
        return int(found.value) if found is not None and found.value.isdecimal() else None

    def bridge_netfilter(self, family: Family) -> bool | None:
        """Tell whether bridged packets pass iptables; None where sysctls were not read.

        The setting does not exist while br_netfilter is not loaded: then they do not.
        """
        name = "iptables" if family is Family.IPV4 else "ip6tables"
        value = self.setting(f"net.bridge.bridge-nf-call-{name}")
        if value is not None:
            return value != 0
        return None if Input.SYSCTLS in self.host.absent or not self.host.sysctls else False

    def forwards(self, family: Family, device: str | None) -> bool | None:
        """Tell whether packets that come in by an interface may be forwarded; None where unknown."""
        value = self.setting(self.forwarding_setting(family, device))
        return None if value is None else value != 0

    def forwarding_setting(self, family: Family, device: str | None) -> str:
        """Return the sysctl that decides: IPv6 has one for all interfaces (`ip6_forward`)."""
        if family is Family.IPV6:
            return "net.ipv6.conf.all.forwarding"
        own = f"net.ipv4.conf.{device}.forwarding"
        return "net.ipv4.ip_forward" if self.setting(own) is None else own

    def reverse_path(self, device: str | None) -> int:
        """Return the effective rp_filter of an interface: the greater of its own and that of `all`."""
        return max(self.setting(name) or 0 for name in _reverse_path_settings(device))

    def reverse_path_source(self, device: str | None) -> SourceRef | None:
        """Return the line that sets the effective rp_filter of an interface, or None where none was read."""
        names = sorted(_reverse_path_settings(device), key=lambda n: -(self.setting(n) or 0))
        found = self.host.sysctls.get(names[0])
        return None if found is None else found.source

    def validates_marks(self, device: str | None) -> bool:
        """Tell whether the reverse path is looked up with a packet's mark (`src_valid_mark`)."""
        return any(self.setting(f"net.ipv4.conf.{n}.src_valid_mark") for n in ("all", device))

    def routes_localnet(self, device: str | None) -> bool:
        """Tell whether 127.0.0.0/8 is routed on an interface."""
        return any(self.setting(f"net.ipv4.conf.{n}.route_localnet") for n in ("all", device))


def _reverse_path_settings(device: str | None) -> tuple[str, str]:
    return "net.ipv4.conf.all.rp_filter", f"net.ipv4.conf.{device}.rp_filter"


def loopback(family: Family, address: int) -> bool:
    """Tell whether an address is a loopback address."""
    return _LOOPBACK.holds(address) if family is Family.IPV4 else address == 1


def _local_route(destination: str, device: str, item: InterfaceAddress | None = None) -> Route:
    return Route("local", destination, "", device, "local", 0, item.source if item else NOWHERE)

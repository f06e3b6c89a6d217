"""Addresses that a host does not believe in: martians and rp_filter (`fib_validate_source`, Linux 6.1)."""

from __future__ import annotations

from analyzer.language import _
from analyzer.model.ruleset import Family
from analyzer.simulate.address import spell
from analyzer.simulate.branch import Branch, Cause, Ending, Fate
from analyzer.simulate.machine import (
    LIMITED_BROADCAST,
    LINK_LOCAL,
    LOOSE,
    MULTICAST,
    STRICT,
    UNSPECIFIED,
    Machine,
    loopback,
)
from analyzer.simulate.packet import Flow
from analyzer.simulate.route_step import noted, unroutable
from analyzer.simulate.routing import RouteKey, RouteKind


def martian(machine: Machine, branch: Branch) -> Ending | None:
    """Return the end of a packet from or to an address that nobody elsewhere has, or None."""
    packet = branch.packet
    flow, family, device = packet.flow, packet.family, packet.in_interface
    if device == "lo":
        return None
    refused = _nobodys(family, flow)
    if refused is None and not (family is Family.IPV4 and machine.routes_localnet(device)):
        ends = (flow.destination, flow.source)
        refused = next((address for address in ends if loopback(family, address)), None)
    if refused is None:
        return None
    text = _("{spell} from outside", spell=spell(family, refused))
    return _refused(machine, branch, Cause.MARTIAN, text)


def _nobodys(family: Family, flow: Flow) -> int | None:
    """Return an address of a packet that no single host has, or None (`ip_route_input_slow`, `ip6_rcv_core`)."""
    if MULTICAST[family].holds(flow.source):
        return flow.source
    if family is Family.IPV6 or flow.destination == LIMITED_BROADCAST:
        return None
    if flow.source in {UNSPECIFIED, LIMITED_BROADCAST}:
        return flow.source
    return flow.destination if flow.destination == UNSPECIFIED else None


def unforwardable(machine: Machine, branch: Branch) -> Ending | None:
    """Return the end of an IPv6 packet whose source does not reach beyond its network, or None (`ip6_forward`)."""
    family, source = branch.packet.family, branch.packet.flow.source
    if family is Family.IPV4:
        return None
    if source != UNSPECIFIED and not loopback(family, source) and not LINK_LOCAL.holds(source):
        return None
    reason = _("{spell} as source is not forwarded", spell=spell(family, source))
    return _refused(machine, branch, Cause.MARTIAN, reason)


def implausible_source(
    machine: Machine, branch: Branch, way_out: str | None = "lo"
) -> Ending | None:
    """Return the end of a packet from elsewhere that may not come from there, or None: refused once it is routed.

    `way_out`: the interface that it is to leave by, which an answer would come in by.
    """
    packet = branch.packet
    flow, family = packet.flow, packet.family
    if packet.in_interface == "lo" or family is Family.IPV6 or loopback(family, flow.source):
        return None
    if machine.owns(flow.source):
        reason = _("own address {spell} as source from outside", spell=spell(family, flow.source))
        return _refused(machine, branch, Cause.MARTIAN, reason)
    return _reverse_path(machine, branch, way_out)


def leak_of_loopback(machine: Machine, branch: Branch, device: str | None) -> Ending | None:
    """Return the end of an own packet with a loopback address that would leave the host, or None.

    IPv6 lets it go: whoever gets it refuses it.
    """
    packet = branch.packet
    if packet.family is Family.IPV6 or device == "lo":
        return None
    if not loopback(packet.family, packet.flow.source) or machine.routes_localnet(device):
        return None
    reason = _(
        "{spell} may not leave by {device} (route_localnet)",
        spell=spell(packet.family, packet.flow.source),
        device=device,
    )
    return _refused(machine, branch, Cause.MARTIAN, reason)


def _reverse_path(machine: Machine, branch: Branch, way_out: str | None) -> Ending | None:
    packet = branch.packet
    mode = machine.reverse_path(packet.in_interface)
    if mode not in {STRICT, LOOSE} or packet.in_interface is None:
        return None
    mark = packet.mark if machine.validates_marks(packet.in_interface) else 0
    answer = machine.routes(packet.family).lookup(
        RouteKey(packet.flow.source, packet.flow.destination, way_out, mark)
    )
    if answer.kind is RouteKind.UNKNOWN:
        return unroutable(machine, branch, answer)
    known = answer.kind is RouteKind.UNICAST
    devices = {hop.device for hop in answer.hops}
    if known and (mode == LOOSE or packet.in_interface in devices or None in devices):
        return None
    text = spell(packet.family, packet.flow.source)
    reason = _(
        "rp_filter: answers to {text} would not leave by {in_interface}",
        text=text,
        in_interface=packet.in_interface,
    )
    source = machine.reverse_path_source(packet.in_interface)
    stepped = noted(machine, branch, _("rp_filter = {mode}", mode=mode), "drop", source)
    return Ending(stepped, Fate.DROPPED, Cause.REVERSE_PATH, f"{machine.name}: {reason}")


def _refused(machine: Machine, branch: Branch, cause: Cause, reason: str) -> Ending:
    stepped = noted(machine, branch, _("source validation"), "drop")
    return Ending(stepped, Fate.DROPPED, cause, f"{machine.name}: {reason}")

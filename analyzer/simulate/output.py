"""Packets that a host sends itself (`net/ipv4/ip_output.c`, Linux 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from analyzer.language import _
from analyzer.simulate.branch import Branch, Departure, Way, through
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.route_step import routed, unroutable
from analyzer.simulate.routing import Chosen, Hop, RouteAnswer, RouteKind, shares
from analyzer.simulate.source_validation import leak_of_loopback

_LEADING = frozenset(
    {
        RouteKind.UNICAST,
        RouteKind.LOCAL,
        RouteKind.BROADCAST,
        RouteKind.ANYCAST,
        RouteKind.MULTICAST,
    }
)

replace = msgspec.structs.replace


class Output:
    """The way of packets from a process of a host to an interface, or back in by `lo`."""

    def __init__(
        self, machine: Machine, netfilter: Netfilter, come_in: Callable[[Branch], Sequence[Way]]
    ) -> None:
        self._machine = machine
        self._netfilter = netfilter
        self._come_in = come_in
        """Routes what has passed PREROUTING."""

        netfilter.reroute = self._reroute

    def send(self, branch: Branch, route: RouteAnswer | None = None) -> Sequence[Way]:
        """Send a packet whose source address is set; `route`: where it was set by a route, that one."""
        answer = route or self._machine.route(branch.packet)
        if not _leads_somewhere(answer):
            return [unroutable(self._machine, branch, answer)]
        return [
            way
            for hop, share in shares(answer.hops)
            for way in self._send_by(
                branch if share == 1 else replace(branch, chance=branch.chance * share), answer, hop
            )
        ]

    def _send_by(self, branch: Branch, answer: RouteAnswer, hop: Hop) -> Sequence[Way]:
        ways = self._choose(branch, answer, hop)
        return through(ways, self._with_interface, self._netfilter.output, self._leave)

    def _reroute(self, branch: Branch) -> Sequence[Way]:
        """Route again what OUTPUT has changed (`ip_route_me_harder`)."""
        answer = self._machine.route(branch.packet)
        if not _leads_somewhere(answer):
            return [unroutable(self._machine, branch, answer)]
        return self._choose(branch, answer, answer.hops[0])

    def _choose(self, branch: Branch, answer: RouteAnswer, hop: Hop) -> Sequence[Way]:
        # Its own addresses a host reaches by lo.
        own = answer.kind in {RouteKind.LOCAL, RouteKind.ANYCAST}
        way_out = Hop("lo", None) if own else hop
        refused = leak_of_loopback(self._machine, branch, way_out.device)
        if refused is not None:
            return [refused]
        return [replace(branch, chosen=Chosen(answer, way_out))]

    def _with_interface(self, branch: Branch) -> Sequence[Way]:
        """Set the interface that all of OUTPUT sees, even after NAT: the hook keeps it (`nf_hook_state`)."""
        assert branch.chosen is not None
        leaving = replace(branch.packet, out_interface=branch.chosen.hop.device)
        return [replace(branch, packet=leaving)]

    def _leave(self, branch: Branch) -> Sequence[Way]:
        assert branch.chosen is not None
        answer, hop = branch.chosen
        own = hop.device == "lo"
        sent = routed(self._machine, branch, answer, _("this host") if own else _("send"))
        leaving = replace(sent, packet=replace(sent.packet, out_interface=hop.device))
        ways = self._netfilter.postrouting(leaving, hop.gateway)
        if own:
            return through(ways, self._come_back)
        return through(ways, lambda passing: [departure(passing, hop)])

    def _come_back(self, branch: Branch) -> Sequence[Way]:
        """Receive by `lo` what was sent by `lo`, still with its connection and mark."""
        packet = replace(branch.packet, in_interface="lo", out_interface="", local=False)
        back = replace(branch, packet=packet)
        return through([back], self._netfilter.prerouting, self._come_in)


def departure(branch: Branch, hop: Hop) -> Departure:
    """Return the branch that leaves a host by a hop."""
    target = branch.packet.flow.destination if hop.gateway is None else hop.gateway
    return Departure(branch, hop.device, target, by_gateway=hop.gateway is not None)


def _leads_somewhere(answer: RouteAnswer) -> bool:
    return answer.kind in _LEADING and bool(answer.hops)

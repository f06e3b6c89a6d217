"""One host, from where a packet comes in to where it leaves (Linux 6.1, `net/ipv4`, `net/bridge`)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analyzer.language import _
from analyzer.model.ruleset import Family
from analyzer.simulate.branch import Branch, Cause, Delivered, Ending, Fate, Way, through
from analyzer.simulate.bridging import Bridging
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.output import Output, departure
from analyzer.simulate.packet import UNSURE
from analyzer.simulate.rejection import with_answer
from analyzer.simulate.route_step import noted, routed, special_route, unroutable
from analyzer.simulate.routing import Hop, RouteAnswer, RouteKind, shares
from analyzer.simulate.source_validation import implausible_source, martian, unforwardable

_ONWARDS = frozenset({RouteKind.UNICAST})
_LOCAL = frozenset({RouteKind.LOCAL, RouteKind.BROADCAST, RouteKind.ANYCAST})

replace = msgspec.structs.replace


class Forwarding:
    """The way of packets through one host."""

    def __init__(self, machine: Machine, netfilter: Netfilter) -> None:
        self._machine = machine
        self._netfilter = netfilter
        self._output = Output(machine, netfilter, self._route_in)
        self._bridging = Bridging(machine, netfilter)

    def receive(self, branch: Branch, device: str | None, port: str | None = "") -> Sequence[Way]:
        """Take in a packet that is addressed to the host's own hardware address."""
        arrived = self._arrived(branch, device, UNSURE if device is None else port)
        ways = through([arrived], self._let_in, self._netfilter.prerouting, self._route_in)
        return with_answer(ways, self._machine, self._output.send)

    def receive_by_bridge(
        self, branch: Branch, bridge: str, port: str | None, neighbour: int | None, same_port: int
    ) -> Sequence[Way]:
        """Take in a packet at a port of a bridge whose packets pass iptables (br_netfilter).

        `neighbour`: address whose hardware address it is sent to, or None for the host's own.
        `same_port`: address of the sender, which is behind the same port.
        """
        arrived = self._arrived(branch, bridge, port)
        before = arrived.packet.flow.destination

        def onwards(passing: Branch) -> Sequence[Way]:
            if passing.packet.flow.destination != before:
                return self._translated_on_bridge(passing, bridge, same_port)
            if neighbour is None:
                return through([passing], self._let_in, self._route_in)
            return self._bridging.cross(passing, bridge, same_port)

        ways = through([arrived], self._netfilter.prerouting, onwards)
        return with_answer(ways, self._machine, self._output.send)

    def send(self, branch: Branch) -> Sequence[Way]:
        """Send a packet of a process of this host, its source address set."""
        ways = self._output.send(self._entered(branch, "", "", local=True))
        return with_answer(ways, self._machine, self._output.send)

    def _arrived(self, branch: Branch, device: str | None, port: str | None) -> Branch:
        return self._entered(branch, device, port, local=False)

    def _entered(
        self, branch: Branch, device: str | None, port: str | None, *, local: bool
    ) -> Branch:
        """Return the branch with the packet as a host first sees it: unmarked, untracked, unrouted."""
        packet = replace(
            branch.packet,
            in_interface=device,
            out_interface="",
            physical_in=port,
            physical_out="",
            local=local,
            bridged=False,
            mark=0,
            state=None,
            reply=False,
            connection=None,
        )
        entered = replace(branch, packet=packet, visits=branch.visits + 1)
        for text in self._machine.host.assumptions:
            entered = entered.assuming(text)
        return entered

    def _translated_on_bridge(self, branch: Branch, bridge: str, same_port: int) -> Sequence[Way]:
        """Go on after DNAT on a bridge: straight to a port of it where the new destination is behind one.

        Up to Linux 6.13 that goes without ip_forward; since 6.14 it does not. IPv6 never asks.
        """
        answer = self._machine.route(branch.packet)
        if answer.kind is not RouteKind.UNICAST or answer.hops != (Hop(bridge, None),):
            return through([branch], self._let_in, self._route_in)
        crossing = routed(self._machine, branch, answer, _("on the same bridge"))
        if branch.packet.family is Family.IPV6:
            return self._bridging.cross(crossing, bridge, same_port)
        refused = martian(self._machine, branch)
        if refused is not None:
            return [refused]
        return through(
            self._may_forward(crossing),
            lambda passing: self._believe(passing, bridge),
            lambda passing: self._bridging.cross(passing, bridge, same_port),
        )

    def _let_in(self, branch: Branch) -> Sequence[Way]:
        """Refuse a martian of IPv6 before any rule sees it (`ip6_rcv_core`); IPv4 does when it is routed."""
        if branch.packet.family is Family.IPV4:
            return [branch]
        refused = martian(self._machine, branch)
        return [branch] if refused is None else [refused]

    def _route_in(self, branch: Branch) -> Sequence[Way]:
        """Decide after PREROUTING: to the host itself, or onwards (`ip_route_input_slow`)."""
        version_4 = branch.packet.family is Family.IPV4
        refused = martian(self._machine, branch) if version_4 else None
        if refused is not None:
            return [refused]
        answer = special_route(branch.packet) or self._machine.route(branch.packet)
        if answer.kind in _LOCAL:
            here = routed(self._machine, branch, answer, _("this host"))
            return through(
                [here],
                self._believe,
                self._netfilter.input,
                lambda passing: [Delivered(passing)],
            )
        if answer.kind in _ONWARDS:
            return through(
                self._may_forward(branch),
                self._reaches_beyond,
                lambda passing: self._believe(passing, answer.hops[0].device),
                lambda passing: self._forward(passing, answer),
            )
        return [unroutable(self._machine, branch, answer)]

    def _believe(self, branch: Branch, way_out: str | None = "lo") -> Sequence[Way]:
        refused = implausible_source(self._machine, branch, way_out)
        return [branch] if refused is None else [refused]

    def _reaches_beyond(self, branch: Branch) -> Sequence[Way]:
        refused = unforwardable(self._machine, branch)
        return [branch] if refused is None else [refused]

    def _may_forward(self, branch: Branch) -> Sequence[Way]:
        machine, packet = self._machine, branch.packet
        allowed = machine.forwards(packet.family, packet.in_interface)
        if allowed:
            return [branch]
        name = machine.forwarding_setting(packet.family, packet.in_interface)
        if allowed is None:
            return [
                branch.assuming(
                    _("{machine}: {name} = 1 (not in the bundle)", machine=machine.name, name=name)
                )
            ]
        found = machine.host.sysctls.get(name)
        source = None if found is None else found.source
        stepped = noted(machine, branch, f"{name} = 0", _("not forwarded"), source)
        reason = _("{machine} does not forward: {name} = 0", machine=machine.name, name=name)
        return [Ending(stepped, Fate.DROPPED, Cause.FORWARDING, reason)]

    def _forward(self, branch: Branch, answer: RouteAnswer) -> Sequence[Way]:
        hops = answer.hops
        effect = _("forward") if len(hops) == 1 else _("one of {count} next hops", count=len(hops))
        onwards = routed(self._machine, branch, answer, effect)
        return [
            way
            for hop, share in shares(hops)
            for way in self._leave(
                onwards if share == 1 else replace(onwards, chance=onwards.chance * share), hop
            )
        ]

    def _leave(self, branch: Branch, hop: Hop) -> Sequence[Way]:
        leaving = replace(branch, packet=replace(branch.packet, out_interface=hop.device))
        return through(
            [leaving],
            self._netfilter.forward,
            lambda passing: self._netfilter.postrouting(passing, hop.gateway),
            lambda passing: [departure(passing, hop)],
        )

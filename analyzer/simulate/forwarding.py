"""One host, from where a packet comes in to where it leaves (Linux 6.1, `net/ipv4`, `net/bridge`)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from analyzer.model.ruleset import Family
from analyzer.simulate.address import spell
from analyzer.simulate.branch import (
    Branch,
    Cause,
    Delivered,
    Departure,
    Ending,
    Fate,
    Stage,
    Step,
    Way,
    through,
)
from analyzer.simulate.machine import LOOSE, STRICT, Machine, loopback
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.packet import UNSURE, Packet
from analyzer.simulate.routing import Hop, RouteAnswer, RouteKey, RouteKind

_FORWARDED = frozenset({RouteKind.UNICAST, RouteKind.ANYCAST})
_LOCAL = frozenset({RouteKind.LOCAL, RouteKind.BROADCAST, RouteKind.ANYCAST})

replace = msgspec.structs.replace


class Forwarding:
    """The way of packets through one host."""

    def __init__(self, machine: Machine, netfilter: Netfilter) -> None:
        self._machine = machine
        self._netfilter = netfilter

    # --- packets from elsewhere ---

    def receive(self, branch: Branch, device: str | None, port: str | None = "") -> Sequence[Way]:
        """Take in a packet that is addressed to the host's own hardware address."""
        arrived = self._arrived(branch, device, UNSURE if device is None else port)
        return through([arrived], self._netfilter.prerouting, self._route_in)

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
                return self._route_in(passing)
            return self._cross(passing, bridge, same_port)

        return through([arrived], self._netfilter.prerouting, onwards)

    def _arrived(self, branch: Branch, device: str | None, port: str | None) -> Branch:
        packet = replace(
            branch.packet,
            in_interface=device,
            out_interface="",
            physical_in=port,
            physical_out="",
            local=False,
            bridged=False,
            mark=0,
            state=None,
            reply=False,
            connection=None,
        )
        return self._entered(branch, packet)

    def _entered(self, branch: Branch, packet: Packet) -> Branch:
        entered = replace(branch, packet=packet, visits=branch.visits + 1)
        for text in self._machine.host.assumptions:
            entered = entered.assuming(text)
        return entered

    def _translated_on_bridge(self, branch: Branch, bridge: str, same_port: int) -> Sequence[Way]:
        """Go on after DNAT on a bridge: straight to a port of it where the new destination is behind one."""
        answer = self._machine.route(branch.packet)
        if answer.kind is RouteKind.UNICAST and answer.hops == (Hop(bridge, None),):
            return self._cross(
                self._routed(branch, answer, "on the same bridge"), bridge, same_port
            )
        return self._route_in(branch)

    def _cross(self, branch: Branch, bridge: str, same_port: int) -> Sequence[Way]:
        """Go from one port of a bridge to another, by FORWARD and POSTROUTING."""
        if branch.packet.flow.destination == same_port:
            return through(self._hairpin(branch, bridge), lambda b: self._bridged(b, bridge))
        return self._bridged(branch, bridge)

    def _bridged(self, branch: Branch, bridge: str) -> Sequence[Way]:
        packet = replace(
            branch.packet,
            in_interface=bridge,
            out_interface=bridge,
            physical_out=None,
            bridged=True,
        )
        leaving = replace(branch, packet=packet)

        def leave(passing: Branch) -> Sequence[Way]:
            return [Departure(passing, bridge, passing.packet.flow.destination, False)]

        return through(
            [leaving],
            self._netfilter.forward,
            lambda b: self._netfilter.postrouting(b, None),
            leave,
        )

    def _hairpin(self, branch: Branch, bridge: str) -> Sequence[Way]:
        """Leave a bridge by the port of arrival, which it does not do unless told to."""
        mode = self._machine.hairpin(bridge)
        if mode:
            return [branch]
        listed = (
            p for p in self._machine.host.bridge_ports if p.bridge == bridge and not p.hairpin
        )
        source = next((p.source for p in listed), None)
        text = f"a port of {bridge} on {self._machine.name} in hairpin mode"
        step = self._noted(branch, f"hairpin mode of {bridge}", "must leave by the port it came in")
        if step.source is None:
            step = replace(step, source=source)
        reason = (
            f"{bridge} on {self._machine.name} does not send a packet out of the port it came in by"
        )
        if mode is False:
            return [Ending(branch.stepped(step), Fate.DROPPED, Cause.HAIRPIN, reason)]
        split = self._netfilter.budget.ask_once(branch, text, source)
        ways: list[Way] = [split.refused] if split.refused else []
        ways += [split.yes] if split.yes else []
        if split.no is not None:
            ways.append(Ending(split.no.stepped(step), Fate.DROPPED, Cause.HAIRPIN, reason))
        return ways

    # --- routing ---

    def _route_in(self, branch: Branch) -> Sequence[Way]:
        packet = branch.packet
        refused = self._martian(branch)
        if refused is not None:
            return [refused]
        answer = self._machine.route(packet)
        if answer.kind in _LOCAL:
            return self._deliver(self._routed(branch, answer, "this host"))
        if answer.kind in _FORWARDED or answer.kind is RouteKind.MULTICAST:
            return through(self._may_forward(branch), lambda b: self._forward(b, answer))
        return [self._unroutable(branch, answer)]

    def _deliver(self, branch: Branch) -> Sequence[Way]:
        def done(passing: Branch) -> Sequence[Way]:
            return [Delivered(passing)]

        return through([branch], self._netfilter.input, done)

    def _may_forward(self, branch: Branch) -> Sequence[Way]:
        machine, packet = self._machine, branch.packet
        allowed = machine.forwards(packet.family, packet.in_interface)
        if allowed:
            return [branch]
        name = (
            "net.ipv4.ip_forward"
            if packet.family is Family.IPV4
            else "net.ipv6.conf.all.forwarding"
        )
        if allowed is None:
            return [branch.assuming(f"{machine.name}: {name} = 1 (not in the bundle)")]
        found = machine.host.sysctls.get(name)
        step = self._noted(branch, f"{name} = 0", "not forwarded")
        if found is not None:
            step = replace(step, source=found.source)
        reason = f"{machine.name} does not forward: {name} = 0"
        return [Ending(branch.stepped(step), Fate.DROPPED, Cause.FORWARDING, reason)]

    def _forward(self, branch: Branch, answer: RouteAnswer) -> Sequence[Way]:
        return [
            way
            for routed, hop in self._each_hop(branch, answer)
            for way in self._leave(routed, hop, self._netfilter.forward)
        ]

    def _leave(self, branch: Branch, hop: Hop, hook: Stage | None) -> Sequence[Way]:
        """Pass a hook, then POSTROUTING, and leave by an interface."""
        packet = replace(branch.packet, out_interface=hop.device)
        leaving = replace(branch, packet=packet)

        def leave(passing: Branch) -> Sequence[Way]:
            target = passing.packet.flow.destination if hop.gateway is None else hop.gateway
            return [Departure(passing, hop.device, target, hop.gateway is not None)]

        stages = () if hook is None else (hook,)
        return through(
            [leaving], *stages, lambda b: self._netfilter.postrouting(b, hop.gateway), leave
        )

    def _each_hop(self, branch: Branch, answer: RouteAnswer) -> list[tuple[Branch, Hop]]:
        if len(answer.hops) == 1:
            return [(self._routed(branch, answer, "forward"), answer.hops[0])]
        share = Fraction(1, max(len(answer.hops), 1))
        effect = f"one of {len(answer.hops)} next hops"
        routed = self._routed(branch, answer, effect)
        split = replace(routed, chance=routed.chance * share)
        return [(split, hop) for hop in answer.hops]

    def _martian(self, branch: Branch) -> Ending | None:
        """Refuse addresses that cannot be right here, and by rp_filter (`fib_validate_source`)."""
        machine, packet = self._machine, branch.packet
        flow, family, device = packet.flow, packet.family, packet.in_interface
        if device == "lo":
            return None
        if loopback(family, flow.source) or loopback(family, flow.destination):
            if family is Family.IPV4 and machine.routes_localnet(device):
                return None
            text = spell(family, flow.destination if loopback(family, flow[2]) else flow.source)
            return self._refused(branch, Cause.MARTIAN, f"{text} from outside is refused")
        if machine.owns(flow.source) and family is Family.IPV4:
            text = spell(family, flow.source)
            return self._refused(
                branch, Cause.MARTIAN, f"own address {text} as source from outside"
            )
        return self._reverse_path(branch) if family is Family.IPV4 else None

    def _reverse_path(self, branch: Branch) -> Ending | None:
        machine, packet = self._machine, branch.packet
        mode = machine.reverse_path(packet.in_interface)
        if mode not in {STRICT, LOOSE} or packet.in_interface is None:
            return None
        answer = machine.routes(packet.family).lookup(RouteKey(packet.flow.source))
        known = answer.kind is RouteKind.UNICAST
        devices = {hop.device for hop in answer.hops}
        if known and (mode == LOOSE or packet.in_interface in devices or None in devices):
            return None
        text = spell(packet.family, packet.flow.source)
        reason = f"rp_filter: answers to {text} would not leave by {packet.in_interface}"
        return self._refused(branch, Cause.REVERSE_PATH, reason)

    def _refused(self, branch: Branch, cause: Cause, reason: str) -> Ending:
        step = self._noted(branch, "source validation", "drop")
        return Ending(branch.stepped(step), Fate.DROPPED, cause, f"{self._machine.name}: {reason}")

    def _unroutable(self, branch: Branch, answer: RouteAnswer) -> Ending:
        destination = spell(branch.packet.family, branch.packet.flow.destination)
        if answer.kind is RouteKind.UNKNOWN:
            reason = f"{self._machine.name}: {answer.reason}, which is not modelled"
            return Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)
        kind = "no route" if answer.kind is RouteKind.NONE else f"route of kind {answer.kind.value}"
        routed = self._routed(branch, answer, kind)
        reason = (
            f"{self._machine.name} has a {kind} to {destination}"
            if answer.route
            else (f"{self._machine.name} has no route to {destination}")
        )
        return Ending(routed, Fate.UNROUTABLE, Cause.NO_ROUTE, reason)

    # --- packets of the host itself ---

    def send(self, branch: Branch) -> Sequence[Way]:
        """Send a packet of a process of this host, its source address set."""
        packet = replace(
            branch.packet,
            in_interface="",
            physical_in="",
            physical_out="",
            local=True,
            bridged=False,
            mark=0,
            state=None,
            reply=False,
            connection=None,
        )
        answer = self._machine.route(packet)
        starting = self._entered(branch, packet)
        if not _leads_somewhere(answer):
            return [self._unroutable(starting, answer)]
        ways: list[Way] = []
        for hop in answer.hops:
            share = Fraction(1, len(answer.hops))
            chosen = replace(starting, chance=starting.chance * share)
            ways += self._send_by(chosen, answer, _output_hop(answer, hop))
        return ways

    def _send_by(self, branch: Branch, answer: RouteAnswer, hop: Hop) -> Sequence[Way]:
        leaving = replace(branch, packet=replace(branch.packet, out_interface=hop.device))
        first = leaving.packet

        def onwards(passing: Branch) -> Sequence[Way]:
            return self._after_output(passing, first, answer, hop)

        return through(
            [leaving],
            self._netfilter.output_mangle,
            self._netfilter.output_nat,
            self._netfilter.output_filter,
            onwards,
        )

    def _after_output(
        self, branch: Branch, first: Packet, answer: RouteAnswer, hop: Hop
    ) -> Sequence[Way]:
        """Route again what OUTPUT has changed (`ip_route_me_harder`), and leave."""
        packet = branch.packet
        if packet.flow.destination != first.flow.destination or packet.mark != first.mark:
            answer = self._machine.route(packet)
            if not _leads_somewhere(answer):
                return [self._unroutable(branch, answer)]
            hop = _output_hop(answer, answer.hops[0])
        if self._leaks_loopback(packet, hop):
            reason = f"127.0.0.0/8 may not leave by {hop.device}: route_localnet is off"
            return [self._refused(branch, Cause.MARTIAN, reason)]
        routed = self._routed(branch, answer, "this host" if hop.device == "lo" else "send")
        ways = self._leave(routed, hop, None)
        return ways if hop.device != "lo" else through(_loop(ways), self._come_back)

    def _leaks_loopback(self, packet: Packet, hop: Hop) -> bool:
        if hop.device == "lo" or not loopback(packet.family, packet.flow.source):
            return False
        return packet.family is Family.IPV6 or not self._machine.routes_localnet(hop.device)

    def _come_back(self, branch: Branch) -> Sequence[Way]:
        """Receive by `lo` what was sent by `lo`, still with its connection and mark."""
        packet = replace(branch.packet, in_interface="lo", out_interface="", local=False)
        return through([replace(branch, packet=packet)], self._netfilter.prerouting, self._route_in)

    # --- steps ---

    def _routed(self, branch: Branch, answer: RouteAnswer, effect: str) -> Branch:
        subject = "no route" if answer.route is None else answer.route
        source = None if answer.route is None else answer.route.source
        return branch.stepped(
            Step(self._machine.name, branch.leg, None, "", "", source, subject, effect)
        )

    def _noted(self, branch: Branch, note: str, effect: str) -> Step:
        return Step(self._machine.name, branch.leg, None, "", "", None, note, effect)


def _leads_somewhere(answer: RouteAnswer) -> bool:
    return answer.kind in _LOCAL | _FORWARDED | {RouteKind.MULTICAST} and bool(answer.hops)


def _output_hop(answer: RouteAnswer, hop: Hop) -> Hop:
    """Return where the host's own packets leave: by `lo` to its own addresses."""
    return Hop("lo", None) if answer.kind is RouteKind.LOCAL else hop


def _loop(ways: Sequence[Way]) -> Sequence[Way]:
    return [way.branch if isinstance(way, Departure) else way for way in ways]

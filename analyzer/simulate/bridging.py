"""A Linux bridge whose packets pass iptables (`net/bridge/br_netfilter_hooks.c`, Linux 6.1)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from analyzer.language import _
from analyzer.simulate.branch import Branch, Cause, Departure, Ending, Fate, Way, through
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.route_step import noted

replace = msgspec.structs.replace


class Bridging:
    """The way from one port of a bridge to another."""

    def __init__(self, machine: Machine, netfilter: Netfilter) -> None:
        self._machine = machine
        self._netfilter = netfilter

    def cross(self, branch: Branch, bridge: str, same_port: int) -> Sequence[Way]:
        """Pass FORWARD and POSTROUTING, and leave by the port of the destination.

        `same_port`: an address behind the port of arrival.
        """
        ways: Sequence[Way] = (branch,)
        if branch.packet.flow.destination == same_port:
            ways = self._hairpin(branch, bridge)
        return through(ways, lambda passing: self._pass(passing, bridge))

    def _pass(self, branch: Branch, bridge: str) -> Sequence[Way]:
        packet = replace(
            branch.packet,
            in_interface=bridge,
            out_interface=bridge,
            physical_out=None,
            bridged=True,
        )

        def leave(passing: Branch) -> Sequence[Way]:
            target = passing.packet.flow.destination
            return [Departure(passing, bridge, target, by_gateway=False)]

        return through(
            [replace(branch, packet=packet)],
            self._netfilter.forward,
            lambda passing: self._netfilter.postrouting(passing, None),
            leave,
        )

    def _hairpin(self, branch: Branch, bridge: str) -> Sequence[Way]:
        """Leave by the port of arrival, which a bridge does not do unless told to."""
        machine = self._machine
        mode = machine.hairpin(bridge)
        if mode:
            return [branch]
        reason = _(
            "{bridge} on {machine} does not send a packet out of the port it came in by",
            bridge=bridge,
            machine=machine.name,
        )
        if mode is False:
            return [self._held_back(branch, bridge, reason)]
        text = _(
            "a port of {bridge} on {machine} in hairpin mode", bridge=bridge, machine=machine.name
        )
        split = self._netfilter.budget.ask_once(branch, text)
        ways: list[Way] = [split.refused] if split.refused else []
        ways += [split.yes] if split.yes else []
        ways += [self._held_back(split.no, bridge, reason)] if split.no else []
        return ways

    def _held_back(self, branch: Branch, bridge: str, reason: str) -> Ending:
        ports = self._machine.host.bridge_ports
        source = next((p.source for p in ports if p.bridge == bridge and not p.hairpin), None)
        what, effect = (
            _("hairpin mode of {bridge}", bridge=bridge),
            _("must leave by the port it came in by"),
        )
        stepped = noted(self._machine, branch, what, effect, source)
        return Ending(stepped, Fate.DROPPED, Cause.HAIRPIN, reason)

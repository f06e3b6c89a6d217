"""A packet from one end of a connection to the other, through as many hosts as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from analyzer.language import _
from analyzer.simulate.address import spell
from analyzer.simulate.atlas import Atlas, HostSite, Outside, Place
from analyzer.simulate.branch import (
    Branch,
    Cause,
    Delivered,
    Departure,
    Ending,
    Fate,
    Step,
    Way,
    Weight,
)
from analyzer.simulate.host import PodSite
from analyzer.simulate.machine import loopback
from analyzer.simulate.question import Budget
from analyzer.simulate.sight import Sight

_MOST_HOSTS = 16
"""Hosts that a packet passes before it is taken to go round in circles."""

replace = msgspec.structs.replace


class Arrived(NamedTuple):
    """A packet at one end of its connection, or outside of the cluster."""

    branch: Branch
    place: Place


class _Moving(NamedTuple):
    host: str
    way: Way


class Journey:
    """The ways of one packet."""

    def __init__(self, atlas: Atlas, budget: Budget, sight: Sight) -> None:
        self._atlas = atlas
        self._budget = budget
        self._sight = sight

    def travel(self, branch: Branch, start: Place) -> list[Arrived | Ending]:
        """Send a packet, its addresses set, from a place; return where it may arrive or end."""
        if self._stays_in_pod(branch, start):
            return [Arrived(branch, start)]
        moving = self._set_out(replace(branch, visits=0), start)
        results: list[Arrived | Ending] = []
        while moving:
            host, way = moving.pop(0)
            self._sight.hosts.add(host)
            match way:
                case Ending():
                    results.append(way)
                case Delivered():
                    results.append(Arrived(way.branch, HostSite(host)))
                case Departure():
                    reached = self._hand_over(host, way)
                    if isinstance(reached, list):
                        moving = [*reached, *moving]
                    else:
                        results.append(reached)
                case _:
                    raise AssertionError(way)
        return results

    def _stays_in_pod(self, branch: Branch, start: Place) -> bool:
        if not isinstance(start, PodSite):
            return False
        packet = branch.packet
        destination = packet.flow.destination
        own = self._atlas.pods.get(destination) is start
        return own or loopback(packet.family, destination)

    # --- setting out ---

    def _set_out(self, branch: Branch, start: Place) -> list[_Moving]:
        match start:
            case PodSite():
                return self._leave_pod(branch, start)
            case HostSite(name):
                return _on(name, self._atlas.forwarding[name].send(branch))
            case Outside():
                return self._come_in(branch, start)

    def _leave_pod(self, branch: Branch, pod: PodSite) -> list[_Moving]:
        atlas, packet = self._atlas, branch.packet
        family, flow = packet.family, packet.flow
        if pod.host not in atlas.forwarding:
            reason = _(
                "the bundle has nothing of {value} of pod {pod}",
                value=pod.host or "the node",
                pod=pod.name,
            )
            return [_Moving("", Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason))]
        machine, forwarding = atlas.machines[pod.host], atlas.forwarding[pod.host]
        device = atlas.pod_device(pod, family, flow.source)
        if device is None or not machine.is_bridge(device):
            return _on(pod.host, forwarding.receive(branch, device))
        neighbour = flow.destination if self._is_neighbour(pod.host, device, branch) else None
        passes = machine.bridge_netfilter(family)
        text = _(
            "whether packets on bridge {device} of {host} pass iptables (bridge-nf-call-iptables)",
            device=device,
            host=pod.host,
        )
        asked = None if passes is not None else self._budget.ask_once(branch, text)
        filtered = branch if passes else asked.yes if asked else None
        plain = branch if passes is False else asked.no if asked else None
        ways: list[Way] = [asked.refused] if asked and asked.refused else []
        if filtered is not None:
            ways += forwarding.receive_by_bridge(filtered, device, None, neighbour, flow.source)
        if plain is not None:
            ways += self._without_filter(plain, pod.host, device, neighbour)
        return _on(pod.host, ways)

    def _is_neighbour(self, host: str, bridge: str, branch: Branch) -> bool:
        """Tell whether a pod sends straight to a destination: it is in the subnet of its bridge."""
        machine, packet = self._atlas.machines[host], branch.packet
        destination = packet.flow.destination
        subnets = machine.subnet(packet.family, bridge)
        return not machine.owns(destination) and any(s.holds(destination) for s in subnets)

    def _without_filter(
        self, branch: Branch, host: str, bridge: str, neighbour: int | None
    ) -> Sequence[Way]:
        if neighbour is None:
            return self._atlas.forwarding[host].receive(branch, bridge)
        step = Step(
            host,
            branch.leg,
            None,
            "",
            "",
            None,
            _("bridge {bridge}", bridge=bridge),
            _("crosses without iptables"),
        )
        return [Departure(branch.stepped(step), bridge, neighbour, by_gateway=False)]

    def _come_in(self, branch: Branch, start: Outside) -> list[_Moving]:
        """Enter from outside: at the host that is addressed, else the one that routes for the destination."""
        atlas, packet = self._atlas, branch.packet
        destination = packet.flow.destination
        pod = atlas.pods.get(destination)
        host = atlas.owner_of.get(destination) or start.host
        if pod is not None:
            host = pod.host
            text = spell(packet.family, destination)
            claim = _(
                "the network outside sends what is for {text} to {host}", text=text, host=host
            )
            branch = branch.assuming(claim, Weight.BEYOND)
        if host not in atlas.forwarding:
            reason = _("the bundle has nothing of {host}", host=host)
            return [_Moving("", Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason))]
        device = atlas.device_towards(host, packet.family, packet.flow.source)
        return _on(host, atlas.forwarding[host].receive(branch, device))

    # --- on the way ---

    def _hand_over(self, host: str, way: Departure) -> Arrived | Ending | list[_Moving]:
        """Find who takes a packet that leaves a host."""
        branch, device, target, by_gateway = way
        atlas = self._atlas
        if branch.visits >= _MOST_HOSTS:
            reason = _("the packet goes round in circles")
            return Ending(branch, Fate.DROPPED, Cause.LOOP, reason)
        owner = atlas.owner_of.get(target)
        if owner is not None and owner != host:
            arrival = atlas.arrival_device(owner, device, target)
            return _on(owner, atlas.forwarding[owner].receive(branch, arrival))
        pod = atlas.pods.get(target)
        if pod is not None and not by_gateway:
            return self._to_pod(host, way, pod)
        if by_gateway:
            return self._by_unknown_gateway(host, way)
        return self._to_neighbour(host, way)

    def _to_pod(self, host: str, way: Departure, pod: PodSite) -> Arrived | Ending | list[_Moving]:
        branch, device, target, _answer = way
        atlas = self._atlas
        if pod.host == host:
            if branch.packet.flow.source == target:
                reason = _(
                    "{pod} refuses a packet from its own address: it was not masqueraded",
                    pod=pod.name,
                )
                return Ending(branch, Fate.DROPPED, Cause.MARTIAN, reason)
            if loopback(branch.packet.family, branch.packet.flow.source):
                reason = _(
                    "{pod} refuses a packet from a loopback address: it was not masqueraded",
                    pod=pod.name,
                )
                return Ending(branch, Fate.DROPPED, Cause.MARTIAN, reason)
            return Arrived(branch, pod)
        if atlas.machines[host].is_bridge(device) or pod.host not in atlas.forwarding:
            return self._nobody(
                host,
                way,
                _("pod {pod} is on {value}", pod=pod.name, value=pod.host or "another node"),
            )
        arrival = atlas.arrival_device(pod.host, device, target)
        return _on(pod.host, atlas.forwarding[pod.host].receive(branch, arrival))

    def _by_unknown_gateway(self, host: str, way: Departure) -> Arrived | Ending | list[_Moving]:
        """Go to a router that is no node: it may know the pods' addresses, or not."""
        branch, _device, target, _answer = way
        atlas, packet = self._atlas, branch.packet
        destination = packet.flow.destination
        pod = atlas.pods.get(destination)
        there = pod.host if pod else atlas.owner_of.get(destination)
        if there is None:
            return Arrived(branch, Outside(destination, host))
        gateway = spell(packet.family, target)
        if pod is not None and atlas.hosts_route_pods:
            text = spell(packet.family, destination)
            reason = _(
                "{host} sends {text} (pod {pod}) to {gateway}, which is no node",
                host=host,
                text=text,
                pod=pod.name,
                gateway=gateway,
            )
            return Ending(branch, Fate.UNROUTABLE, Cause.NO_ROUTE, reason)
        if there not in atlas.forwarding:
            return Ending(
                branch,
                Fate.INCONCLUSIVE,
                Cause.UNKNOWN,
                _("the bundle has nothing of {there}", there=there),
            )
        taken = branch.assuming(
            _("the router {gateway} sends on to {there}", gateway=gateway, there=there)
        )
        arrival = atlas.device_towards(there, packet.family, packet.flow.source)
        return _on(there, atlas.forwarding[there].receive(taken, arrival))

    def _to_neighbour(self, host: str, way: Departure) -> Arrived | Ending:
        branch, device, target, _answer = way
        atlas, packet = self._atlas, branch.packet
        if not atlas.in_pod_network(host, device, target, packet.family):
            return Arrived(branch, Outside(target, host))
        if not atlas.network.pods_known:
            text = spell(packet.family, target)
            taken = branch.assuming(
                _("{text} is a pod on {host} (no list of pods)", text=text, host=host)
            )
            return Arrived(taken, PodSite("", host, (text,)))
        return self._nobody(host, way, _("no pod has this address"))

    def _nobody(self, host: str, way: Departure, why: str) -> Ending:
        text = spell(way.branch.packet.family, way.target)
        reason = _(
            "nobody answers for {text} on {device} of {host}: {why}",
            text=text,
            device=way.device,
            host=host,
            why=why,
        )
        return Ending(way.branch, Fate.UNROUTABLE, Cause.NO_SUCH_ADDRESS, reason)


def _on(host: str, ways: Sequence[Way]) -> list[_Moving]:
    return [_Moving(host, way) for way in ways]

"""Who has which address in a cluster, and by which interface a packet reaches them."""

from __future__ import annotations

from functools import cached_property

import msgspec

from analyzer.model.ruleset import Family
from analyzer.simulate.address import Block, block, family_of, number
from analyzer.simulate.forwarding import Forwarding
from analyzer.simulate.host import HostListener, Network, PodSite
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.question import Budget
from analyzer.simulate.routing import RouteAnswer, RouteKey, RouteKind
from analyzer.simulate.sight import Sight

_SHARED_DEVICES = frozenset({"lo", "kube-ipvs0", "nodelocaldns", "docker0"})
"""Interfaces whose addresses are the same on every host."""

_TUNNELS = frozenset({"vxlan", "ipip", "gre", "wireguard", "geneve", "sit", "ip6tnl", "tun"})


class HostSite(msgspec.Struct, frozen=True):
    """A host as the end of a connection."""

    name: str


class Outside(msgspec.Struct, frozen=True):
    """Somebody outside of the cluster."""

    address: int
    host: str
    """The host that it was reached from, or whose gateway it uses."""


Place = PodSite | HostSite | Outside


class Atlas:
    """The network, indexed."""

    def __init__(
        self, network: Network, budget: Budget, sight: Sight, *, indexed: bool = True
    ) -> None:
        self.network = network
        self.pods = {
            n: pod for pod in network.pods for a in pod.addresses if (n := number(a)) is not None
        }
        self.machines = {name: Machine(host) for name, host in network.hosts.items()}
        self.forwarding = {
            name: Forwarding(machine, Netfilter(machine, budget, self.pods, sight, indexed=indexed))
            for name, machine in self.machines.items()
        }

    @cached_property
    def owner_of(self) -> dict[int, str]:
        """Host by the address it has; addresses that several hosts have are absent."""
        owners: dict[int, set[str]] = {}
        for name, machine in self.machines.items():
            for address, device in machine.device_of.items():
                if device not in _SHARED_DEVICES:
                    owners.setdefault(address, set()).add(name)
        return {address: names.pop() for address, names in owners.items() if len(names) == 1}

    @cached_property
    def pod_named(self) -> dict[str, PodSite]:
        """Pods by `namespace/name`."""
        return {pod.name: pod for pod in self.network.pods}

    @cached_property
    def listeners(self) -> dict[tuple[str, int, str], HostListener]:
        """Pods in their node's network by address, port and protocol."""
        return {(x.address, x.port, x.protocol): x for x in self.network.listeners}

    @cached_property
    def _pod_blocks(self) -> tuple[Block, ...]:
        return tuple(b for text in self.network.pod_ranges if (b := block(text)) is not None)

    def in_pod_network(self, host: str, device: str | None, address: int, family: Family) -> bool:
        """Tell whether an address is one that only a pod may have."""
        machine = self.machines[host]
        if machine.is_bridge(device) and any(
            s.holds(address) for s in machine.subnet(family, device)
        ):
            return True
        return any(
            b.holds(address)
            for text, b in zip(self.network.pod_ranges, self._pod_blocks, strict=False)
            if family_of(text) is family
        )

    def device_towards(self, host: str, family: Family, address: int) -> str | None:
        """Return the interface by which a host reaches an address (and is reached from it); None if unknown."""
        answer = self._route(host, family, address)
        if answer.kind is RouteKind.UNICAST and answer.hops:
            return answer.hops[0].device
        return None

    def pod_device(self, pod: PodSite, family: Family, address: int) -> str | None:
        """Return the interface of its host behind which a pod is, or None where no route says so."""
        answer = self._route(pod.host, family, address)
        direct = [hop for hop in answer.hops if hop.gateway is None]
        return direct[0].device if answer.kind is RouteKind.UNICAST and direct else None

    def _route(self, host: str, family: Family, address: int) -> RouteAnswer:
        machine = self.machines[host]
        return machine.routes(family).lookup(RouteKey(address))

    def arrival_device(self, host: str, sent_by: str | None, target: int) -> str | None:
        """Return the interface by which a host takes in what another sent out of an interface."""
        machine = self.machines[host]
        origin_kind = next(
            (k for m in self.machines.values() if (k := m.kind_of(sent_by)) in _TUNNELS), ""
        )
        if origin_kind and machine.has_device(sent_by):
            return sent_by
        if target in machine.device_of:
            return machine.device_of[target]
        return sent_by if machine.has_device(sent_by) else None

    @cached_property
    def hosts_route_pods(self) -> bool:
        """True where some host has a route of its own to the pods of another: the network outside has none."""
        samples = {
            (pod.host, family_of(text)): text for pod in self.network.pods for text in pod.addresses
        }
        return any(
            hop.gateway in self.owner_of or machine.kind_of(hop.device) in _TUNNELS
            for name, machine in self.machines.items()
            for (host, family), text in samples.items()
            if host != name and (address := number(text)) is not None
            for hop in self._route(name, family, address).hops
        )

"""What is known of the hosts of a cluster: the facts that the simulator is given, as read, nothing derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from analyzer.model.conntrack import ConntrackEntry
from analyzer.model.inputs import Input
from analyzer.model.ip_set import IPSet
from analyzer.model.node import (
    BridgePort,
    Document,
    InterfaceAddress,
    Link,
    Route,
    RoutePolicyRule,
    Socket,
    Sysctl,
)
from analyzer.model.ruleset import Family, Ruleset


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """One node; whatever was not read is empty and named in `absent`."""

    name: str
    rulesets: Mapping[Family, tuple[Ruleset, ...]]
    """Dumps by family, one for each backend; a family of which nothing was read is missing."""

    nft: Document | None = None
    """`nft -j list ruleset`, or None where it was not read; iptables' own tables in it are not looked at."""

    addresses: tuple[InterfaceAddress, ...] = ()
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    route_rules: tuple[RoutePolicyRule, ...] = ()
    bridge_ports: tuple[BridgePort, ...] = ()
    sysctls: Mapping[str, Sysctl] = field(default_factory=dict)
    sockets: tuple[Socket, ...] | None = None
    """Listening sockets, or None where they were not read."""

    sets: Mapping[str, IPSet] = field(default_factory=dict)
    connections: tuple[ConntrackEntry, ...] = ()
    """What conntrack knows: which clients a `recent` list has on it is not in a bundle, but leaves traces there."""

    absent: frozenset[Input] = frozenset()
    """Inputs of the node that the bundle does not have."""

    unexecuted: Mapping[Family, tuple[str, ...]] = field(default_factory=dict)
    """What else may translate or drop packets here but is not executed: `nftables table bridge filter`."""

    ipvs: bool = False
    """True where IPVS may take what is addressed to the host itself."""

    assumptions: tuple[str, ...] = ()
    """What is taken for granted on every way through this host because a file is missing."""

    internal_addresses: tuple[str, ...] = ()
    """Addresses of the Node object: what is known where `ip addr` was not read."""


class PodSite(msgspec.Struct, frozen=True):
    """Where a pod with a network of its own is."""

    name: str
    """`namespace/name`."""

    host: str
    addresses: tuple[str, ...]
    running: bool = True
    """False where no container runs, so that nothing listens."""


@dataclass(frozen=True, slots=True)
class HostListener:
    """A pod that listens in its node's network."""

    name: str
    """`namespace/name`."""

    address: str
    port: int
    protocol: str
    """Lower case."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """All hosts, and who has which address."""

    hosts: Mapping[str, Host]
    pods: tuple[PodSite, ...] = ()
    pods_known: bool = True
    """False where the bundle has no list of pods: an unknown address may be one."""

    pod_ranges: tuple[str, ...] = ()
    """CIDRs from which pods get their addresses."""

    listeners: tuple[HostListener, ...] = ()
    node_ports: frozenset[int] = frozenset()
    """Node ports of all Services: a socket there is kube-proxy's own (Kubernetes 1.23 and earlier)."""

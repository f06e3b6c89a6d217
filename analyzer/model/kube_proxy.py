"""What is known about the kube-proxy of one node: mode, version, options, each with where it was read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from analyzer.model.source import Ref


class ProxyMode(Enum):
    """How Services are implemented on a node."""

    USERSPACE = "userspace"
    IPTABLES = "iptables"
    IPVS = "ipvs"
    NFTABLES = "nftables"
    REPLACED = "replaced"
    """No kube-proxy by design: Cilium, Calico eBPF, OVN-Kubernetes, kube-router, …"""

    WINDOWS = "windows"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Minor:
    """A Kubernetes minor version, such as 1.30."""

    major: int
    minor: int

    def __str__(self) -> str:
        """`1.30`."""
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> Minor | None:
        """Return the minor version in `v1.30.5-eks-1`, or None where there is none."""
        found = re.search(r"(\d+)\.(\d+)", text)
        return cls(int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that tells about the version or mode of a kube-proxy."""

    claim: str
    """What it tells, such as `1.24 or later`."""

    reason: str
    """Why, such as `KUBE-EXT chains`."""

    source: Ref


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Which minor versions agree with all signs; None stands for "no limit known"."""

    earliest: Minor | None = None
    latest: Minor | None = None
    exact: str | None = None
    """Full version, such as `1.30.5`, where a log, an image or the API states it."""

    signs: tuple[Sign, ...] = ()

    @property
    def known(self) -> bool:
        """True when it is stated, or when at least two signs bound it from below or above."""
        return self.exact is not None or len(self.signs) > 1

    def at_least(self, minor: Minor) -> bool | None:
        """Tell whether the version is at least this one; None where the signs leave both open."""
        if self.earliest is not None and self.earliest >= minor:
            return True
        if self.latest is not None and self.latest < minor:
            return False
        return None

    def __str__(self) -> str:
        """`1.30.5`, `1.24 to 1.27`, `1.24 or later`, `1.23 or earlier` or `unknown`."""
        if self.exact is not None:
            return self.exact
        match self.earliest, self.latest:
            case None, None:
                return "unknown"
            case earliest, None:
                return f"{earliest} or later"
            case None, latest:
                return f"{latest} or earlier"
            case earliest, latest:
                return str(earliest) if earliest == latest else f"{earliest} to {latest}"


class DetectLocal(Enum):
    """How kube-proxy tells its own pods' traffic from other traffic (`detectLocalMode`)."""

    CLUSTER_CIDR = "ClusterCIDR"
    NODE_CIDR = "NodeCIDR"
    BRIDGE_INTERFACE = "BridgeInterface"
    INTERFACE_NAME_PREFIX = "InterfaceNamePrefix"
    NONE = "none"
    """Nothing is configured (or ClusterCIDR without a CIDR): no off-cluster masquerading of cluster IPs."""


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """Effective options of kube-proxy with Kubernetes' defaults (KubeProxyConfiguration v1alpha1)."""

    masquerade_all: bool = False
    masquerade_bit: int = 14
    cluster_cidrs: tuple[str, ...] = ()
    detect_local: DetectLocal | None = None
    """None where the configuration was not read."""

    bridge_interface: str = ""
    interface_prefix: str = ""
    node_port_addresses: tuple[str, ...] = ()
    """CIDRs; empty for all addresses; `primary` for the node's primary address."""

    localhost_node_ports: bool = True
    sync_period_seconds: float = 30.0
    strict_arp: bool = False
    hostname_override: str = ""
    feature_gates: tuple[tuple[str, bool], ...] = ()
    verbosity: int | None = None
    """Log level `--v`, or None where unknown."""

    source: Ref | None = None
    """Where the configuration was read, or None where these are only the defaults."""


@dataclass(frozen=True, slots=True)
class KubeProxy:
    """The kube-proxy of one node."""

    mode: ProxyMode
    mode_source: Ref | None
    """The line that says (or from which it is concluded) which mode it is in."""

    version: VersionRange
    options: ProxyOptions
    large_cluster: bool = False
    """True above 1,000 endpoints: no comments in SVC and SEP rules, stale chains linger (facts A.7)."""

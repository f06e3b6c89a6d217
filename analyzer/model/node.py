"""What the files of one node say, apart from its rulesets and logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analyzer.model.source import ObjectRef, Ref, SourceRef


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One `name = value` line."""

    name: str
    """Dotted name; a slash in an interface name stays as `sysctl -a` prints it."""

    value: str
    source: SourceRef


@dataclass(frozen=True, slots=True)
class BridgePort:
    """One bridge port of hairpin.txt."""

    bridge: str
    port: str
    hairpin: bool
    source: SourceRef


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address of an interface."""

    interface: str
    address: str
    prefix_length: int
    source: Ref


@dataclass(frozen=True, slots=True)
class Link:
    """One interface of `ip link`."""

    name: str
    flags: frozenset[str]
    """`UP`, `PROMISC`, …"""

    mtu: int | None
    kind: str
    """`bridge`, `veth`, `vxlan`, …; empty where `ip` was not asked for details."""

    master: str
    """The bridge or bond it is a port of; empty where none."""

    hairpin: bool | None
    """`hairpin` of a bridge port where `ip -d` shows it."""

    promiscuity: int | None
    """How many users hold the interface in promiscuous mode."""

    source: Ref
    hairpin_source: Ref | None = None
    """The place of `hairpin`; None where it is not shown."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route of `ip route show table all`."""

    kind: str
    """`unicast`, `local`, `broadcast`, `blackhole`, `unreachable`, `prohibit`, `throw`, …"""

    destination: str
    """CIDR with prefix length; `0.0.0.0/0` or `::/0` for default."""

    gateway: str
    device: str
    table: str
    """`main`, `local`, a number or a name."""

    metric: int
    source: Ref
    flags: frozenset[str] = frozenset()
    """`dead`, `linkdown`, `onlink`, …"""

    nexthops: tuple[tuple[str, str], ...] = ()
    """(gateway, device) of a multipath route; those that are dead are left out."""

    weights: tuple[int, ...] = ()
    """Weight of each of `nexthops`; empty where none is printed."""

    preferred_source: str = ""
    """`src` (`prefsrc` in JSON): the address that the node's own packets get; empty where not printed."""


@dataclass(frozen=True, slots=True)
class RoutePolicyRule:
    """One line of `ip rule`."""

    priority: int
    selector: str
    """The text around the action, such as `from all fwmark 0x80` or `from all suppress_prefixlength 0`."""

    table: str
    """Table that `lookup` names; empty for other actions."""

    source: SourceRef
    action: str = ""
    """Any other action: `blackhole`, `unreachable`, `prohibit`, `nop`, `goto 200`; empty where not known."""


@dataclass(frozen=True, slots=True)
class Socket:
    """One listening socket of `ss -lntu`."""

    protocol: str
    """`TCP` or `UDP`."""

    address: str
    """Local address; `*` for any."""

    port: int
    source: SourceRef


@dataclass(frozen=True, slots=True)
class Process:
    """One process of processes.txt."""

    program: str
    """Last path component of the program: `kube-proxy`."""

    flags: dict[str, str]
    """Options of its command line without leading dashes: `{"config": "/var/lib/…"}`; a bare one is `true`."""

    arguments: tuple[str, ...]
    """Arguments that are no options, such as the `server` of `k3s server`."""

    source: SourceRef
    host: str = ""
    """Program whose process it runs in (`k3s`, `kubelite`, `hyperkube`); empty for a process of its own."""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """A resolv.conf, with the line of each setting (resolv.conf(5))."""

    nameservers: tuple[tuple[str, SourceRef], ...]
    search: tuple[str, ...]
    """Search list of the last `search` or `domain` line, which wins."""

    search_source: SourceRef | None
    options: dict[str, str]
    """`{"ndots": "5"}`; an option without a value is an empty string."""

    options_source: SourceRef | None
    path: str = ""

    @property
    def ndots(self) -> int:
        """Value of `options ndots`, 1 where absent (resolv.conf(5)), at most 15."""
        text = self.options.get("ndots", "1")
        return min(int(text), 15) if text.isdigit() else 1


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON or YAML document of which single settings are asked (configz, config.yaml, nft rulesets)."""

    content: Any
    """What the decoder gave: dicts, lists, strings, numbers, booleans, None."""

    ref: ObjectRef

    def find(self, *path: str) -> Any:  # noqa: ANN401 - a document is any JSON
        """Return the value at a path of keys, matched without regard to case, or None.

        kube-proxy's /configz spells its keys like Go fields (`ClusterCIDR`), its file like JSON (`clusterCIDR`).
        """
        value = self.content
        for key in path:
            if not isinstance(value, dict):
                return None
            lowered = key.lower()
            value = next((v for k, v in value.items() if str(k).lower() == lowered), None)
        return value

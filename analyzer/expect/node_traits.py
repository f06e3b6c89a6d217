"""What of a node and the options of its kube-proxy changes how every Service is served there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from analyzer.model.address import family_of, networks_of
from analyzer.model.forwarding import Masquerade
from analyzer.model.kube_proxy import DetectLocal, KubeProxy, Minor, ProxyMode
from analyzer.model.kubernetes import Node
from analyzer.model.ruleset import Family


@dataclass(frozen=True, slots=True)
class NodeTraits:
    """Equal for most nodes of a cluster, which then share their entries."""

    cluster_ip_masquerade: Masquerade | None
    external_ip_masquerade: Masquerade | None
    """None where it depends on a version that is not known."""

    pods_are_told_apart: bool | None
    """Whether kube-proxy knows pods' traffic from others' (`detectLocalMode`); None if its options were not read."""

    node_ports_served: bool
    """False where no address of the node in this family is known to be in `nodePortAddresses`."""

    serves_bypassed_ips: bool
    """True where kube-proxy may be too old to know `ipMode: Proxy` (1.29 and earlier)."""

    family_optional: bool
    """True where kube-proxy may well not serve this IP family at all."""


def node_traits(family: Family, node: Node | None, proxy: KubeProxy) -> NodeTraits:
    """Return the traits of a node in one IP family; `node` is None where its object is not known."""
    told_apart = _pods_are_told_apart(family, node, proxy)
    return NodeTraits(
        cluster_ip_masquerade=_cluster_ip_masquerade(told_apart, proxy),
        external_ip_masquerade=_external_ip_masquerade(proxy),
        pods_are_told_apart=told_apart,
        node_ports_served=_node_ports_served(family, node, proxy),
        serves_bypassed_ips=proxy.version.at_least(Minor(1, 30)) is not True,
        family_optional=_family_optional(family, node, proxy),
    )


def _pods_are_told_apart(family: Family, node: Node | None, proxy: KubeProxy) -> bool | None:
    options = proxy.options
    match options.detect_local:
        case None:
            return None
        case DetectLocal.NONE:
            return False
        case DetectLocal.CLUSTER_CIDR:
            return bool(networks_of(options.cluster_cidrs, family))
        case DetectLocal.NODE_CIDR:
            return None if node is None else bool(networks_of(node.pod_cidrs, family))
        case DetectLocal.BRIDGE_INTERFACE | DetectLocal.INTERFACE_NAME_PREFIX:
            return True


def _cluster_ip_masquerade(told_apart: bool | None, proxy: KubeProxy) -> Masquerade | None:
    if proxy.mode is ProxyMode.USERSPACE:
        return None
    if proxy.options.masquerade_all:
        return Masquerade.ALWAYS
    match told_apart:
        case None:
            return None
        case True:
            return Masquerade.OFF_CLUSTER
        case False:
            return Masquerade.NEVER


def _external_ip_masquerade(proxy: KubeProxy) -> Masquerade | None:
    """1.19 to 1.23 spare pods where they are told apart; before and after, every client is masqueraded."""
    latest = proxy.version.latest
    if proxy.version.at_least(Minor(1, 24)) or (latest is not None and latest < Minor(1, 19)):
        return Masquerade.ALWAYS
    return None


def _node_ports_served(family: Family, node: Node | None, proxy: KubeProxy) -> bool:
    accepted = proxy.options.node_port_addresses
    if not accepted:
        return True
    networks = networks_of(accepted, family)
    if any(n.prefixlen == 0 for n in networks):
        return True
    own = [ip_address(ip) for ip in _in_family(node.ips if node else (), family)]
    return bool(own) and ("primary" in accepted or any(ip in n for ip in own for n in networks))


def _family_optional(family: Family, node: Node | None, proxy: KubeProxy) -> bool:
    """Tell whether kube-proxy may leave the family out, as a single-stack one (the rule up to 1.20) does."""
    addresses = [f for ip in (node.internal_ips if node else ()) if (f := family_of(ip))]
    primary = addresses[0] if addresses else Family.IPV4
    if family is primary:
        return False
    dual_stack = proxy.version.at_least(Minor(1, 21)) is True
    return not dual_stack or (bool(addresses) and family not in addresses)


def _in_family(addresses: Iterable[str], family: Family) -> tuple[str, ...]:
    return tuple(ip for ip in addresses if family_of(ip) is family)

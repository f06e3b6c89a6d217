"""The check `node-port-localhost`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from analyzer.check import check
from analyzer.language import _
from analyzer.model.address import networks_of
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import KubeProxy, ProxyMode
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, Ref
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView, NodeView

_LOOPBACK = IPv4Address("127.0.0.1")


@check(
    station=Station.PROXYING,
    severity=Severity.INFO,
    needs=(Input.SERVICES,),
    references=("https://github.com/kubernetes/kubernetes/issues/90236",),
    advisory=True,
)
def node_port_localhost(cluster: ClusterView) -> Iterator[Problem]:
    """
    Node ports do not answer on 127.0.0.1 of a node.

    ## Why it matters
    A test with `curl 127.0.0.1:<node port>`, or a registry mirror addressed as localhost, fails although the
    Service works. So it is by design in nftables and ipvs mode, for IPv6, with localhostNodePorts off, with
    nodePortAddresses that leave 127.0.0.0/8 out, and while net.ipv4.conf.all.route_localnet is 0.

    ## How to put it right
    Use the node's address.
    """
    ported = next(
        ((s, n) for s in cluster.services.values() for n, p in enumerate(s.ports) if p.node_port),
        None,
    )
    if ported is None:
        return
    silent = [(n, r, told) for n in cluster.nodes.values() for r, told in _reasons(n)]
    if not silent:
        return
    service, position = ported
    names = [node.name for node, _, _ in silent]
    told = dict.fromkeys(told for _, _, told in silent)
    shown = {reason: ref for _, ref, reason in reversed(silent)}
    yield Problem(
        message=_(
            "node ports do not answer on 127.0.0.1 of {names} ({reasons})",
            names=listed(names, 5),
            reasons=", ".join(told),
        ),
        evidence=(
            *(Evidence(shown[reason], reason) for reason in told),
            Evidence(service.ref.at("spec", "ports", position, "nodePort"), _("a node port")),
        ),
        remedy=_("Use a node's own address instead of 127.0.0.1."),
    )


def _reasons(node: NodeView) -> Iterator[tuple[Ref, str]]:
    """Yield the one reason why localhost does not answer on the node, with where it stands."""
    proxy: KubeProxy = node.kube_proxy
    source = proxy.options.source
    ranges = networks_of(proxy.options.node_port_addresses, Family.IPV4)
    if proxy.mode in {ProxyMode.NFTABLES, ProxyMode.IPVS} and proxy.mode_source is not None:
        yield proxy.mode_source, _("{mode} mode", mode=proxy.mode.value)
    elif proxy.mode is not ProxyMode.IPTABLES:
        return
    elif source is not None and not proxy.options.localhost_node_ports:
        yield _below(source, "iptables", "localhostNodePorts"), _("localhostNodePorts is off")
    elif source is not None and ranges and not any(_LOOPBACK in n for n in ranges):
        yield _below(source, "nodePortAddresses"), _("nodePortAddresses leaves 127.0.0.0/8 out")
    else:
        yield from _not_routed(node)


def _below(source: Ref, *field: str) -> Ref:
    return source.at(*field) if isinstance(source, ObjectRef) else source


def _not_routed(node: NodeView) -> Iterator[tuple[Ref, str]]:
    settings = [s for name, s in node.sysctls.items() if name.endswith(".route_localnet")]
    general = node.sysctls.get("net.ipv4.conf.all.route_localnet")
    if general is not None and all(s.value == "0" for s in settings):
        yield general.source, _("route_localnet is 0")

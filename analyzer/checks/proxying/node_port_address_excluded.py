"""The check `node-port-address-excluded`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.address import network_of
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.snapshot import NodeView


@check(
    station=Station.PROXYING,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.NODES),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#service-nodeport-custom-listen-address",
    ),
)
def node_port_address_excluded(node: NodeView) -> Iterator[Problem]:
    """
    nodePortAddresses leaves out the node's own address: node ports do not answer on it.

    ## Why it matters
    kube-proxy serves node ports only on addresses in these ranges. Clients and load balancers that use
    the node's InternalIP are refused.

    ## How to put it right
    Add the range of the nodes' addresses to nodePortAddresses (or use `primary`, 1.31 and later), and
    restart kube-proxy.
    """
    options = node.kube_proxy.options
    ranges = tuple(r for r in options.node_port_addresses if r != "primary")
    if (
        options.source is None
        or not ranges
        or len(ranges) < len(options.node_port_addresses)
        or node.api_object is None
        or node.kube_proxy.mode is ProxyMode.REPLACED
    ):
        return
    ported = [s for s in node.cluster.services.values() if any(p.node_port for p in s.ports)]
    networks = [n for n in map(network_of, ranges) if n is not None]
    hosts = [h for h in map(network_of, node.api_object.internal_ips) if h is not None]
    served = any(h.version == n.version and h.network_address in n for h in hosts for n in networks)
    if not ported or not networks or not hosts or served:
        return
    yield Problem(
        message=f"node ports do not answer on {', '.join(node.api_object.internal_ips)} of {node.name}: "
        f"nodePortAddresses is {', '.join(ranges)}",
        evidence=(
            Evidence(options.source, "nodePortAddresses"),
            Evidence(node.api_object.ref.at("status", "addresses"), "addresses of the node"),
        ),
        remedy="Add the nodes' range to nodePortAddresses in kube-proxy's configuration and restart it.",
    )

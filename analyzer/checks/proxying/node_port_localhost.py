"""The check `node-port-localhost`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import KubeProxy, ProxyMode
from analyzer.model.source import Ref
from analyzer.snapshot import ClusterView, NodeView


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
    Service works. So it is by design in nftables and ipvs mode, for IPv6, and with localhostNodePorts off.

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
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004
    yield Problem(
        message=f"node ports do not answer on 127.0.0.1 of {listed} ({silent[0][2]})",
        evidence=(
            Evidence(silent[0][1], silent[0][2]),
            Evidence(service.ref.at("spec", "ports", position, "nodePort"), "a node port"),
        ),
        remedy="Use a node's own address instead of 127.0.0.1.",
    )


def _reasons(node: NodeView) -> Iterator[tuple[Ref, str]]:
    proxy: KubeProxy = node.kube_proxy
    if proxy.mode in {ProxyMode.NFTABLES, ProxyMode.IPVS} and proxy.mode_source is not None:
        yield proxy.mode_source, f"{proxy.mode.value} mode"
    elif proxy.mode is not ProxyMode.IPTABLES or proxy.options.source is None:
        return
    elif not proxy.options.localhost_node_ports:
        yield proxy.options.source, "localhostNodePorts is off"
    elif proxy.options.node_port_addresses:
        yield proxy.options.source, "nodePortAddresses is set"

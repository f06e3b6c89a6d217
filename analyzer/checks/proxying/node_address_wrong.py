"""The check `node-address-wrong`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.snapshot import ClusterView, NodeView


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.NODES,),
    references=(
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
        "https://github.com/kubernetes/kubernetes/issues/44702",
    ),
)
def node_address_wrong(cluster: ClusterView) -> Iterator[Problem]:
    """
    A node's InternalIP is not its own: several nodes share it, or no interface has it.

    ## Why it matters
    Pods of the host network are endpoints under that address, and overlays build their tunnels to it:
    their traffic goes to the wrong machine. Usual with several interfaces (10.0.2.15 under Vagrant).

    ## How to put it right
    Start kubelet with `--node-ip` set to the address that the other nodes reach.
    """
    holders: dict[str, list[NodeView]] = defaultdict(list)
    for node in cluster.nodes.values():
        for ip in node.api_object.internal_ips if node.api_object else ():
            holders[ip].append(node)
    for ip, nodes in sorted(holders.items()):
        if len(nodes) > 1:
            yield Problem(
                message=f"{', '.join(n.name for n in nodes)} all have InternalIP {ip}",
                evidence=tuple(
                    Evidence(n.api_object.ref.at("status", "addresses"), f"addresses of {n.name}")
                    for n in nodes[:5]
                    if n.api_object
                ),
                remedy="Give each kubelet its own --node-ip and restart it.",
            )
        else:
            yield from _foreign(nodes[0], ip)


def _foreign(node: NodeView, ip: str) -> Iterator[Problem]:
    if not node.has(Input.ADDRESSES) or node.api_object is None or not node.addresses:
        return
    if any(a.address == ip for a in node.addresses):
        return
    yield Problem(
        message=f"no interface of {node.name} has its InternalIP {ip}",
        evidence=(
            Evidence(node.api_object.ref.at("status", "addresses"), "InternalIP of the node"),
            Evidence(node.addresses[0].source, "its interfaces begin here"),
        ),
        remedy=f"Start kubelet on {node.name} with --node-ip set to an address of one of its interfaces.",
        node=node.name,
        severity=Severity.WARNING,
    )

"""The check `dns-forward-loop`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.resolv_conf import DNSOrigin, dns_origin
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.model.node import ResolvConf
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView

_NODE_FILE = "/etc/resolv.conf"


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.PODS, Input.SERVICES),
    references=("https://coredns.io/plugins/loop/#troubleshooting",),
    advisory=True,
)
def dns_forward_loop(cluster: ClusterView) -> Iterator[Problem]:
    """
    CoreDNS forwards queries to itself.

    ## Why it matters
    CoreDNS notices it and stops, again and again: no name resolves.

    ## How to put it right
    The node's resolv.conf names a local stub (127.0.0.53 of systemd-resolved). Give kubelet the real list:
    `resolvConf: /run/systemd/resolve/resolv.conf`; then delete the CoreDNS pods.

    ## Where it is silent
    For pods that are ready: what made their container end once is over.
    """
    down = [p for p in cluster.dns_pods if not p.ready]
    every = len(down) == len(cluster.dns_pods)
    for pod in down:
        shown = _said(pod) or (_own_nameserver(cluster, pod) if every else None)
        if shown is not None:
            yield Problem(
                message=_(
                    "CoreDNS stops because the queries that it forwards come back to it (pod "
                    "{pod})",
                    pod=pod.full_name,
                ),
                evidence=(shown,),
                remedy=_remedy(cluster, pod, down),
                severity=None if every else Severity.WARNING,
            )
            return


def _said(pod: Pod) -> Evidence | None:
    """Return the container's last words where they tell of a loop."""
    for position, status in enumerate(pod.status.container_statuses or ()):
        for field, state in (("state", status.state), ("lastState", status.last_state)):
            ended = state.terminated if state else None
            if ended and ended.message and "plugin/loop" in ended.message:
                place = ("status", "containerStatuses", position, field, "terminated", "message")
                return Evidence(pod.ref.at(*place), _("CoreDNS' last words"))
    return None


def _own_nameserver(cluster: ClusterView, pod: Pod) -> Evidence | None:
    """Return the nameserver of the file that the pod forwards to, where that is the pod itself or its Service."""
    forwards = any(
        use.plugin.arguments[1:] == (_NODE_FILE,)
        for corefile, _ in cluster.corefiles
        for use in corefile.uses("forward")
    )
    if not forwards or pod.host_network:
        return None
    services = {ip for s in cluster.dns_services for ip in s.cluster_ips}
    for told, shown in _files(cluster, pod):
        for address, ref in shown.nameservers:
            if _loopback(address) or address in services:
                return Evidence(
                    ref,
                    _(
                        "{told}: inside the pod {address} is CoreDNS itself",
                        told=told,
                        address=address,
                    ),
                )
    return None


def _files(cluster: ClusterView, pod: Pod) -> Iterator[tuple[str, ResolvConf]]:
    """Yield the pod's resolv.conf, or else the node's that kubelet makes it of."""
    own = [r for r in cluster.pod_resolv_confs if r.full_name == pod.full_name]
    for read in own:
        yield _("resolv.conf of {pod}", pod=pod.full_name), read.resolv_conf
    node = cluster.nodes.get(pod.spec.node_name)
    takes = node is not None and node.kubelet_dns.resolv_conf == _NODE_FILE
    if node and takes and node.resolv_conf and not own and _uses_node_file(pod):
        yield (
            _("resolv.conf of {node}, which kubelet gives to the pod", node=node.name),
            node.resolv_conf,
        )


def _uses_node_file(pod: Pod) -> bool:
    return dns_origin(pod, None) is DNSOrigin.NODE and pod.spec.dns_config is None


def _loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _remedy(cluster: ClusterView, pod: Pod, down: list[Pod]) -> str:
    nodes = ", ".join(dict.fromkeys(p.spec.node_name for p in down if p.spec.node_name))
    names = [p.name for p in down if p.namespace == pod.namespace]
    if dns_origin(pod, None) is DNSOrigin.CLUSTER:
        return _(
            "CoreDNS must not ask the cluster's DNS. Set dnsPolicy to Default in its template: "
        ) + shell("kubectl", "-n", pod.namespace, "edit", "deployments")
    again = shell("kubectl", "-n", pod.namespace, "delete", "pod", *names[:5])
    where = _(" on {nodes}", nodes=nodes) if nodes and len(cluster.nodes) > 1 else ""
    return (
        _(
            "Give kubelet{where} a list of nameservers without a local stub, under "
            "systemd-resolved `resolvConf: /run/systemd/resolve/resolv.conf` in its "
            "configuration; restart kubelet, then: ",
            where=where,
        )
        + again
    )

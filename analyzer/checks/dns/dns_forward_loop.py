"""The check `dns-forward-loop`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.snapshot import ClusterView, PodResolvConf


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.PODS, Input.SERVICES),
    references=("https://coredns.io/plugins/loop/#troubleshooting",),
)
def dns_forward_loop(cluster: ClusterView) -> Iterator[Problem]:
    """
    CoreDNS forwards queries to itself.

    ## Why it matters
    CoreDNS notices it and stops, again and again: no name resolves.

    ## How to put it right
    The node's resolv.conf names a local stub (127.0.0.53 of systemd-resolved). Give kubelet the real list:
    `resolvConf: /run/systemd/resolve/resolv.conf`; then delete the CoreDNS pods.
    """
    for pod in cluster.dns_pods:
        said = _said(pod)
        if said is not None:
            yield Problem(
                message=f"CoreDNS stops because its queries come back to it (pod {pod.full_name})",
                evidence=(said,),
                remedy=_REMEDY,
            )
            return
    looped = [r for r in cluster.pod_resolv_confs if _loops(cluster, r)]
    if looped and not any(p.ready for p in cluster.dns_pods):
        first = looped[0]
        address, ref = first.resolv_conf.nameservers[0]
        yield Problem(
            message=f"CoreDNS forwards to {address}, which inside its pod is CoreDNS itself",
            evidence=(Evidence(ref, f"resolv.conf of {first.full_name}"),),
            remedy=_REMEDY,
        )


_REMEDY = (
    "In kubelet's configuration on every node: resolvConf: /run/systemd/resolve/resolv.conf (the file without "
    "the local stub), restart kubelet, then: kubectl -n kube-system delete pod -l k8s-app=kube-dns"
)


def _said(pod: Pod) -> Evidence | None:
    """Return the container's last words where they tell of a loop."""
    for position, status in enumerate(pod.status.container_statuses or ()):
        for field, state in (("state", status.state), ("lastState", status.last_state)):
            ended = state.terminated if state else None
            if ended and ended.message and "plugin/loop" in ended.message:
                place = ("status", "containerStatuses", position, field, "terminated", "message")
                return Evidence(pod.ref.at(*place), "CoreDNS' last words")
    return None


def _loops(cluster: ClusterView, read: PodResolvConf) -> bool:
    """Tell whether a DNS pod forwards to its own loopback, or to the cluster's DNS."""
    pod = cluster.pod_by_name.get(read.full_name)
    if pod is None or pod not in cluster.dns_pods or not read.resolv_conf.nameservers:
        return False
    forwards = any(
        use.plugin.arguments[1:] == ("/etc/resolv.conf",)
        for corefile, _ in cluster.corefiles
        for use in corefile.uses("forward")
    )
    address = read.resolv_conf.nameservers[0][0]
    return forwards and (_loopback(address) or address in cluster.dns_addresses)


def _loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False

"""The check `dns-limits-exceeded`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.snapshot import ClusterView

_MOST_NAMESERVERS = 3
"""resolv.conf(5), MAXNS: a resolver asks the first three only."""


@check(
    station=Station.DNS,
    severity=Severity.INFO,
    needs=(Input.EVENTS,),
    references=("https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/",),
    advisory=True,
)
def dns_limits_exceeded(cluster: ClusterView) -> Iterator[Problem]:
    """
    More nameservers or search domains are configured than a resolver takes.

    ## Why it matters
    What is beyond the limit (3 nameservers; 32 search domains, 6 for older kubelets and musl) is left out.
    The cluster's own entries come first and survive; the node's are lost.

    ## How to put it right
    Shorten the node's resolv.conf, or the pod's dnsConfig.
    """
    said = [
        e
        for e in cluster.events
        if e.reason == "DNSConfigForming" or "limits were exceeded" in (e.message or "")
    ]
    if said:
        last = said[-1]
        about = last.involved_object
        pods = {(e.involved_object.namespace, e.involved_object.name) for e in said}
        yield Problem(
            message=f"kubelet leaves out DNS settings beyond the limits for {len(pods)} pods, "
            f"the last {about.namespace}/{about.name}",
            evidence=(Evidence(last.ref.at("message"), "kubelet's own words"),),
            remedy="Shorten the search list or nameservers in the node's resolv.conf (kubelet's resolvConf).",
        )
    for read in cluster.pod_resolv_confs:
        servers = read.resolv_conf.nameservers
        if len(servers) > _MOST_NAMESERVERS:
            yield Problem(
                message=f"{read.full_name} has {len(servers)} nameservers, of which three are used",
                evidence=(
                    Evidence(servers[_MOST_NAMESERVERS][1], "the first one that is not asked"),
                ),
                remedy="Leave at most three nameservers.",
                pod=read.full_name,
            )
            return

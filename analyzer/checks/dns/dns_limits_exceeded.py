"""The check `dns-limits-exceeded`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Event
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView

_MOST_NAMESERVERS = 3
"""resolv.conf(5), MAXNS: a resolver asks the first three only."""


@check(
    station=Station.DNS,
    severity=Severity.INFO,
    references=("https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/",),
    advisory=True,
)
def dns_limits_exceeded(cluster: ClusterView) -> Iterator[Outcome]:
    """
    More nameservers or search domains are configured than a resolver takes.

    ## Why it matters
    What is beyond the limit (3 nameservers; 32 search domains, 6 for older kubelets and musl) is left out.
    The cluster's own entries come first and survive; the node's are lost.

    ## How to put it right
    Shorten the node's resolv.conf, or the pod's dnsConfig.
    """
    said = [
        e for e in cluster.events if e.reason in {"DNSConfigForming", "CheckLimitsForResolvConf"}
    ]
    if said:
        yield _told_by_kubelet(said)
    long = [
        (r, r.resolv_conf.nameservers[_MOST_NAMESERVERS][1])
        for r in cluster.pod_resolv_confs
        if len(r.resolv_conf.nameservers) > _MOST_NAMESERVERS
    ]
    if long:
        names = [read.full_name for read, _ in long]
        yield Problem(
            message=_(
                "resolv.conf of {names} has more than three nameservers, of which three are asked",
                names=listed(names),
            ),
            evidence=tuple(
                Evidence(ref, _("the first one that is not asked")) for _conf, ref in long[:3]
            ),
            remedy=_("Leave at most three nameservers in the pod's dnsConfig or the node's file."),
            pod=names[0] if len(names) == 1 else None,
        )
    if not cluster.has(Input.EVENTS) and not said:
        yield Undecided(
            reason=_("kubelet tells in events what it leaves out, and they are not in the bundle"),
            missing=(Input.EVENTS.path(),),
            command=Input.EVENTS.command(),
        )


def _told_by_kubelet(said: list[Event]) -> Problem:
    about = {f"{e.involved_object.namespace}/{e.involved_object.name}".strip("/"): e for e in said}
    pods = all(e.involved_object.kind == "Pod" for e in said)
    return Problem(
        message=_(
            "kubelet leaves out DNS settings beyond the limits, for {counted}: {names}",
            counted=plural("{count:,} pod", "{count:,} pods", len(about))
            if pods
            else plural("{count:,} object", "{count:,} objects", len(about)),
            names=listed(list(about)),
        ),
        evidence=tuple(
            Evidence(e.ref.at("message"), _("kubelet's words")) for e in list(about.values())[:3]
        ),
        remedy=_(
            "Shorten the search list or the nameservers in the node's resolv.conf (the "
            "file that kubelet's resolvConf names), or in the pod's dnsConfig."
        ),
    )

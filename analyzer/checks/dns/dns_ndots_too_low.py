"""The check `dns-ndots-too-low`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.resolv_conf import DNSOrigin, dns_origin
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, PodResolvConf

_ENOUGH = 2
"""`hostnames.default` has one dot: with ndots below 2 it is first asked for as it stands."""


@check(
    station=Station.DNS,
    severity=Severity.WARNING,
    needs=(Input.PODS,),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-any-service-work-by-dns-name",
        "https://man7.org/linux/man-pages/man5/resolv.conf.5.html",
    ),
)
def dns_ndots_too_low(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A pod's resolver does not use its search list for names such as `hostnames.default`.

    ## Why it matters
    A name with at least ndots dots is asked for as it stands before the search list is tried (glibc), or
    instead of it (musl). kubelet writes 5; below 2 the form `<service>.<namespace>` suffers.

    ## How to put it right
    Take `ndots` out of the pod's dnsConfig, or set it to 2 or more; use full names where it has to stay.

    ## Where it is silent
    For 2 to 4, which is usual where many names of other domains are looked up. Where the pod's own dnsConfig
    asks for less it is only advice: glibc still tries the search list afterwards.
    """
    if not cluster.pod_resolv_confs:
        yield Undecided(
            reason=_("no pod's resolv.conf is in the bundle"),
            missing=("pods/<namespace>/<pod>/resolv.conf",),
            command=Input.POD_RESOLV_CONF.command(),
        )
    low = [r for r in cluster.pod_resolv_confs if _is_low(cluster, r)]
    for wanted in (False, True):
        found = [r for r in low if (_option(cluster, r) is not None) is wanted]
        if found:
            yield _problem(cluster, found, wanted=wanted)


def _is_low(cluster: ClusterView, read: PodResolvConf) -> bool:
    pod = cluster.pod_by_name.get(read.full_name)
    return (
        pod is not None
        and dns_origin(pod, None) is DNSOrigin.CLUSTER
        and read.resolv_conf.ndots < _ENOUGH
    )


def _option(cluster: ClusterView, read: PodResolvConf) -> Evidence | None:
    """Return where the pod's dnsConfig sets ndots, or None where it does not."""
    pod = cluster.pod_by_name.get(read.full_name)
    config = pod.spec.dns_config if pod else None
    for position, option in enumerate((config.options if config else None) or ()):
        if pod is not None and option.name == "ndots":
            place = ("spec", "dnsConfig", "options", position, "value")
            return Evidence(pod.ref.at(*place), _("what {read} asks for", read=read.full_name))
    return None


def _problem(cluster: ClusterView, low: list[PodResolvConf], *, wanted: bool) -> Problem:
    names = [r.full_name for r in low]
    first = low[0]
    lines = [_line(r) for r in low[:3]]
    options = [o for r in low[:3] if (o := _option(cluster, r)) is not None]
    again = shell("kubectl", "-n", first.namespace, "delete", "pod", first.pod)
    return Problem(
        message=_(
            "ndots is {ndots} in {names}: names such as <service>.<namespace> are asked "
            "for as they stand before the search list is used, if at all",
            ndots=first.resolv_conf.ndots,
            names=listed(names),
        ),
        evidence=(*lines, *options),
        remedy=_(
            "If these pods use such names, remove ndots from spec.dnsConfig.options of "
            "their template (kubelet then writes 5) or set it to 2."
        )
        if wanted
        else _(
            "kubelet writes ndots:5; something else has written this file. Recreate the "
            "pod: {again}",
            again=again,
        ),
        severity=Severity.INFO if wanted else None,
        pod=names[0] if len(names) == 1 else None,
    )


def _line(read: PodResolvConf) -> Evidence:
    source = read.resolv_conf.options_source
    if source is None or "ndots" not in read.resolv_conf.options:
        line = source or SourceRef(read.resolv_conf.path, 1)
        return Evidence(
            line, _("no ndots in the resolv.conf of {read}: it counts as 1", read=read.full_name)
        )
    return Evidence(source, _("resolv.conf of {read}", read=read.full_name))

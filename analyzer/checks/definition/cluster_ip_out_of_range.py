"""The check `cluster-ip-out-of-range`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.claims import AddressClaim
from analyzer.language import _, plural
from analyzer.model.forwarding import FrontendKind, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import Minor
from analyzer.model.kubernetes import Event, Service
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView

_SEVERAL_RANGES = Minor(1, 33)
"""From here on ServiceCIDR objects may add ranges (KEP-1880); they are not in a bundle."""


@dataclass(frozen=True, slots=True)
class _Stray:
    """A cluster IP outside the ranges."""

    claim: AddressClaim
    event: Event | None
    """The event in which the API server says so itself."""


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    advisory=True,
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/",
        "https://kubernetes.io/docs/tasks/network/extend-service-ip-ranges/",
    ),
)
def cluster_ip_out_of_range(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A cluster IP is not in the range from which the API server gives them out.

    ## Why it matters
    Routes, firewalls and network plugins are set up for the range of cluster IPs, so such an address may work
    from some places only. The API server does not know it as taken, and may give it to something else.

    ## How to put it right
    Delete the Service and create it again without `clusterIP`. After a change of the range all older Services
    need that.

    ## Where it is silent
    Where the range is not known, or is not that of `default/kubernetes`. From Kubernetes 1.33 other ranges can
    be added (ServiceCIDR), so there it is a warning, unless the API server itself says so in an event.
    """
    strays = [s for s in _strays(cluster) if s.event is not None or _is_range_right(cluster)]
    if strays:
        yield _problem(cluster, strays)
    elif not _is_range_right(cluster) and any(s.cluster_ips for s in cluster.services.values()):
        yield Undecided(
            reason=_unknown(cluster),
            missing=(Input.CONFIG_MAPS.path(),),
            command=Input.CONFIG_MAPS.command(),
        )


def _unknown(cluster: ClusterView) -> str:
    ranges = cluster.service_cidrs
    if ranges is None:
        return _(
            "the range of cluster IPs is not known: neither flags of kube-apiserver nor "
            "kubeadm's configuration tell it"
        )
    return _(
        "the range {cidrs} is not the one in use: default/kubernetes is not in it",
        cidrs=listed(ranges.cidrs),
    )


def _strays(cluster: ClusterView) -> Iterator[_Stray]:
    for view in cluster.service_views.values():
        told = _event(cluster, view.service)
        for claim in view.address_claims:
            if claim.kind is not FrontendKind.CLUSTER_IP:
                continue
            ranges = cluster.service_cidrs
            outside = ranges is not None and ranges.contains(claim.address) is False
            event = told if told and claim.address in (told.message or "") else None
            if outside or event is not None:
                yield _Stray(claim, event)


def _event(cluster: ClusterView, service: Service) -> Event | None:
    about = cluster.events_about("Service", service.namespace, service.name)
    return next((e for e in reversed(about) if e.reason == "ClusterIPOutOfRange"), None)


def _is_range_right(cluster: ClusterView) -> bool:
    """Tell whether the range is known and holds the API server's own cluster IP."""
    ranges = cluster.service_cidrs
    api = cluster.services.get(ServiceKey("default", "kubernetes"))
    own = api.cluster_ips if api else ()
    return ranges is not None and all(ranges.contains(ip) is not False for ip in own)


def _problem(cluster: ClusterView, strays: Sequence[_Stray]) -> Problem:
    services = sorted({s.claim.service.key for s in strays})
    first = next((s for s in strays if s.event is not None), strays[0])
    ranges = cluster.service_cidrs
    evidence = [
        Evidence(
            first.claim.source, _("cluster IP of {service}", service=first.claim.service.full_name)
        )
    ]
    if ranges is not None:
        evidence.append(Evidence(ranges.source, _("the range {cidrs}", cidrs=listed(ranges.cidrs))))
    if first.event is not None:
        evidence.append(
            Evidence(first.event.ref.at("message"), _("what the API server says of it"))
        )
    minor = Minor.parse(cluster.kubernetes)
    sure = first.event is not None or (minor is not None and minor < _SEVERAL_RANGES)
    more = (
        _(
            " (and that of {others})",
            others=plural("{count:,} other Service", "{count:,} other Services", len(services) - 1),
        )
        if services[1:]
        else ""
    )
    of = f" {listed(ranges.cidrs)}" if ranges is not None else _(" of cluster IPs")
    stray = first.claim.service
    return Problem(
        message=_(
            "cluster IP {address} of {stray}{more} is not in the range{of}",
            address=first.claim.address,
            stray=stray.full_name,
            more=more,
            of=of,
        ),
        evidence=tuple(evidence),
        remedy=_("Keep the Service in a file, delete it and create it again without clusterIP: ")
        + shell("kubectl", "-n", stray.namespace, "delete", "service", stray.name),
        service=None if services[1:] else stray.key,
        affects=frozenset(services) if services[1:] else frozenset(),
        severity=None if sure else Severity.WARNING,
        partial=True,
    )

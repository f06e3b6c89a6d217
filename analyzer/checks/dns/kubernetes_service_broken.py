"""The check `kubernetes-service-broken`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from analyzer.check import check
from analyzer.language import _
from analyzer.model.backend import Backend
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView

_KEY = ServiceKey("default", "kubernetes")


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.ENDPOINT_SLICES),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-any-service-exist-in-dns",
        "https://github.com/kubernetes/kubernetes/issues/67875",
    ),
)
def kubernetes_service_broken(cluster: ClusterView) -> Iterator[Outcome]:
    """
    The Service default/kubernetes, through which pods reach the API server, has no endpoint that can work.

    ## Why it matters
    CoreDNS and every controller that runs as a pod use it: if it does not answer, more fails than it.

    ## How to put it right
    The API servers write its endpoints themselves: set `--advertise-address` to an address that nodes reach,
    and see that API servers that are gone were taken out (lease reconciler, 1.9 and later).

    ## Where it is silent
    A bundle without the namespace default does not tell.
    """
    service = cluster.services.get(_KEY)
    if service is None:
        yield _absent(cluster)
        return
    backends = cluster.backends.get(_KEY, ())
    if not any(b.ready for b in backends):
        yield Problem(
            message=_("default/kubernetes has no ready endpoint: pods do not reach the API server"),
            evidence=(
                Evidence(service.ref.at("metadata", "name"), _("the Service without endpoints")),
            ),
            remedy=_(
                "See in the API server's log why it does not register itself, and whether "
                "its --advertise-address is right: kubectl -n default get endpointslices"
            ),
            service=_KEY,
        )
    for backend in backends:
        if backend.ready and _unroutable(backend):
            yield Problem(
                message=_(
                    "default/kubernetes sends to {endpoint}, which no other machine can reach",
                    endpoint=backend.endpoint,
                ),
                evidence=(Evidence(backend.source, _("endpoint of default/kubernetes")),),
                remedy=_(
                    "Set --advertise-address of that kube-apiserver to an address that nodes and "
                    "pods reach."
                ),
                service=_KEY,
                partial=not all(_unroutable(b) for b in backends if b.ready),
            )


def _absent(cluster: ClusterView) -> Outcome:
    namespaces = {key.namespace for key in cluster.services} | cluster.pods_by_namespace.keys()
    if not {"default", "kube-system"} <= namespaces:
        return Undecided(
            reason=_("the bundle does not hold the namespace default and its Service kubernetes"),
            missing=(Input.SERVICES.path(),),
            command=Input.SERVICES.command(),
        )
    return Problem(
        message=_("the Service default/kubernetes does not exist: pods do not find the API server"),
        evidence=(
            Evidence(SourceRef(Input.SERVICES.path(), 1), _("no such Service in this list")),
        ),
        remedy=_(
            "kube-apiserver makes it again within seconds of its deletion; see in its "
            "log why it does not."
        ),
        service=_KEY,
    )


def _unroutable(backend: Backend) -> bool:
    try:
        address = ip_address(backend.endpoint.address)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or address.is_link_local

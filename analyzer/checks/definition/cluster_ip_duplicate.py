"""The check `cluster-ip-duplicate`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.claims import AddressClaim, hides_addresses
from analyzer.language import _, plural
from analyzer.model.forwarding import FrontendKind
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/",
        "https://github.com/kubernetes/kubernetes/issues/104769",
    ),
)
def cluster_ip_duplicate(cluster: ClusterView) -> Iterator[Outcome]:
    """
    Two Services have one cluster IP.

    ## Why it matters
    kube-proxy writes rules for both, and where they share a port the first rule wins: which one that is
    differs between nodes and from sync to sync. Clients of one Service reach the pods of the other.

    ## How to put it right
    Delete one of them and create it again without asking for an address: the cluster IP of a Service cannot
    be changed.

    ## Where it is silent
    Headless Services (`None`) have no address.
    """
    claims: dict[str, list[AddressClaim]] = defaultdict(list)
    for view in cluster.service_views.values():
        for claim in view.address_claims:
            if claim.kind is FrontendKind.CLUSTER_IP:
                claims[claim.address].append(claim)
    for address, found in sorted(claims.items()):
        if len({c.service.key for c in found}) > 1:
            yield _problem(cluster, address, found)
    if hides_addresses(cluster.services.values(), FrontendKind.CLUSTER_IP):
        yield Undecided(
            reason=_("cluster IPs are redacted: whether two Services have the same cannot be told"),
            missing=(Input.SERVICES.path(),),
            command=Input.SERVICES.command(),
        )


def _problem(cluster: ClusterView, address: str, claims: Sequence[AddressClaim]) -> Problem:
    by_age = sorted(
        claims,
        key=lambda c: (c.service.metadata.creation_timestamp or "", c.service.full_name),
    )
    youngest = by_age[-1].service
    evidence = [
        Evidence(c.source, _("cluster IP of {service}", service=c.service.full_name))
        for c in by_age
    ]
    evidence.extend(
        Evidence(event.ref.at("message"), _("what the API server says of it"))
        for claim in by_age
        for event in cluster.events_about("Service", claim.service.namespace, claim.service.name)
        if event.reason == "ClusterIPAlreadyAllocated"
    )
    names = [c.service.full_name for c in by_age]
    return Problem(
        message=_(
            "cluster IP {address} belongs to {services}: {names}",
            address=address,
            services=plural("{count:,} Service", "{count:,} Services", len(names)),
            names=listed(names),
        ),
        evidence=tuple(evidence[:6]),
        remedy=_(
            "Keep {youngest}, the younger one, in a file, delete it and create it again "
            "without clusterIP: ",
            youngest=youngest.full_name,
        )
        + shell("kubectl", "-n", youngest.namespace, "delete", "service", youngest.name),
        affects=frozenset(c.service.key for c in claims),
        partial=True,
    )

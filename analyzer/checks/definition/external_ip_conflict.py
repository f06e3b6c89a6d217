"""The check `external-ip-conflict`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import edit
from analyzer.expect.claims import AddressClaim, hides_addresses
from analyzer.language import _
from analyzer.model.forwarding import FrontendKind, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView

_API = ServiceKey("default", "kubernetes")


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#external-ips",
        "https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#denyserviceexternalips",
    ),
)
def external_ip_conflict(cluster: ClusterView) -> Iterator[Outcome]:
    """
    Two Services claim one external address, at one port and protocol.

    ## Why it matters
    kube-proxy writes rules for both, and the first rule wins: it may be another one on each node. Clients of
    one Service reach the pods of the other.

    ## How to put it right
    Take the address from one of them, or give it another port.

    ## Where it is silent
    One address shared by several Services on different ports or protocols is right. What belongs to the API
    server or to a node is told by external-ip-hijack.
    """
    shared: dict[tuple[str, frozenset[ServiceKey]], list[str]] = defaultdict(list)
    claims = _claims(cluster)
    for (address, protocol, port), found in sorted(claims.items()):
        keys = frozenset(c.service.key for c in found)
        external = any(c.kind is not FrontendKind.CLUSTER_IP for c in found)
        if len(keys) > 1 and external and _API not in keys:
            shared[address, keys].append(f"{port}/{protocol}")
    for (address, keys), ports in shared.items():
        yield _problem(cluster, address, keys, ports)
    external_kinds = (FrontendKind.EXTERNAL_IP, FrontendKind.LOAD_BALANCER_IP)
    if hides_addresses(cluster.services.values(), *external_kinds):
        yield Undecided(
            reason=_(
                "external addresses are redacted: whether two Services have the same cannot be told"
            ),
            missing=(Input.SERVICES.path(),),
            command=Input.SERVICES.command(),
        )


def _claims(cluster: ClusterView) -> dict[tuple[str, str, int], list[AddressClaim]]:
    claims: dict[tuple[str, str, int], list[AddressClaim]] = defaultdict(list)
    for view in cluster.service_views.values():
        for claim in view.address_claims:
            for port in view.service.ports:
                claims[claim.address, port.protocol, port.port].append(claim)
    return claims


def _problem(
    cluster: ClusterView, address: str, keys: frozenset[ServiceKey], ports: Sequence[str]
) -> Problem:
    claims = [
        c
        for key in sorted(keys)
        for c in cluster.service_views[key].address_claims
        if c.address == address
    ]
    last = next(c for c in reversed(claims) if c.kind is not FrontendKind.CLUSTER_IP).service
    return Problem(
        message=_(
            "{names} claim one address: {address}, port {ports}",
            names=listed([str(k) for k in sorted(keys)]),
            address=address,
            ports=listed(ports),
        ),
        evidence=tuple(
            Evidence(
                c.source,
                _("{kind} of {service}", kind=_(c.kind.value), service=c.service.full_name),
            )
            for c in claims[:4]
        ),
        remedy=_("Take {address} from one of them, or change its port: ", address=address)
        + edit(last.namespace, "service", last.name),
        affects=keys,
        partial=True,
    )

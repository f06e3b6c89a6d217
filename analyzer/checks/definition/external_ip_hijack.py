"""The check `external-ip-hijack`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.check import check
from analyzer.commands import edit
from analyzer.expect.claims import AddressClaim, address_claims, hides_addresses
from analyzer.language import _, later
from analyzer.model.address import canonical_ip
from analyzer.model.forwarding import FrontendKind, Protocol, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import Minor
from analyzer.model.kubernetes import ServicePort
from analyzer.model.severity import Severity
from analyzer.model.source import NOWHERE, Ref
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, NodeView, ServiceView

_API = ServiceKey("default", "kubernetes")
_OPENS_NO_SOCKETS = Minor(1, 24)
"""From here on kube-proxy does not listen on node ports and local external IPs itself."""

_OF_NODES = {
    (Protocol.TCP, 22): "SSH",
    (Protocol.TCP, 179): "BGP",
    (Protocol.TCP, 2379): "etcd",
    (Protocol.TCP, 2380): "etcd",
    (Protocol.TCP, 6443): later("the API server"),
    (Protocol.TCP, 10250): later("the kubelet"),
    (Protocol.UDP, 4789): "VXLAN",
    (Protocol.UDP, 8472): "VXLAN",
}
"""Ports that a node's own programs use nearly everywhere."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """Something else that answers at the claimed address and port."""

    what: str
    source: Ref


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    advisory=True,
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#external-ips",
        "https://github.com/kubernetes/kubernetes/issues/97076",
    ),
)
def external_ip_hijack(view: ServiceView) -> Iterator[Outcome]:
    """
    An external or load-balancer IP of the Service is an address of the API server or of a node.

    ## Why it matters
    On every node kube-proxy takes all connections to that address and port. What really answers there, the API
    server, the kubelet or SSH, cannot be reached any more.

    ## How to put it right
    Take the address out of `externalIPs`, or give the Service a port that nothing else uses.

    ## Where it is silent
    An address of a node at a port that is free there is a usual way to publish a Service on bare metal
    (and what ServiceLB of k3s does): then this is only advice.
    """
    claims = [c for c in view.address_claims if c.kind is not FrontendKind.CLUSTER_IP]
    external_kinds = (FrontendKind.EXTERNAL_IP, FrontendKind.LOAD_BALANCER_IP)
    if hides_addresses([view.service], *external_kinds):
        yield Undecided(
            reason=_("external addresses of {view} are redacted", view=view.key),
            missing=(Input.SERVICES.path(),),
            command=Input.SERVICES.command(),
        )
    for needed in (Input.NODES, view.cluster.endpoints_input) if claims else ():
        if not view.cluster.has(needed):
            yield Undecided(
                reason=_("the addresses of nodes and API server are not known: ")
                + view.cluster.availability(needed).reason,
                missing=(needed.path(),),
                command=needed.command(),
            )
    for claim in claims:
        yield from _hijacks(view, claim)


def _hijacks(view: ServiceView, claim: AddressClaim) -> Iterator[Outcome]:
    owner = _owner(view.cluster, claim.address)
    if view.key == _API or owner is None:
        return
    taken = [(p, t) for p in view.service.ports for t in _taken(view.cluster, claim.address, p)]
    advice = _(
        "take {address} out of the addresses of {view}: ", address=claim.address, view=view.key
    ) + edit(view.key.namespace, "service", view.key.name)
    claimed = Evidence(claim.source, _("{kind} of {view}", kind=_(claim.kind.value), view=view.key))
    if taken:
        told = listed([f"{p.port}/{p.protocol} ({t.what})" for p, t in taken])
        yield Problem(
            message=_(
                "{kind} {address} of {view} is {what}: kube-proxy takes {told} away from there",
                kind=_(claim.kind.value),
                address=claim.address,
                view=view.key,
                what=owner.what,
                told=told,
            ),
            evidence=(claimed, *(Evidence(t.source, t.what) for _, t in taken[:3])),
            remedy=advice[0].upper() + advice[1:],
            partial=True,
        )
        return
    node = view.cluster.node_by_ip.get(claim.address)
    if node is not None and not node.has(Input.SOCKETS):
        yield Undecided(
            reason=_(
                "whether a program answers there cannot be told without the sockets of {node}",
                node=node.name,
            ),
            missing=(Input.SOCKETS.path(node.name),),
            command=Input.SOCKETS.command(node.name),
        )
    yield Problem(
        message=_(
            "{kind} {address} of {view} is {what}",
            kind=_(claim.kind.value),
            address=claim.address,
            view=view.key,
            what=owner.what,
        ),
        evidence=(claimed, Evidence(owner.source, _("the same address"))),
        remedy=_(
            "Make sure that nothing else is to answer there at its ports, or else {advice}",
            advice=advice,
        ),
        severity=Severity.WARNING if node is None else Severity.INFO,
        partial=True,
    )


def _owner(cluster: ClusterView, address: str) -> _Taken | None:
    """Return whose address it is: the API server's, or a node's."""
    for backend in cluster.backends.get(_API, ()):
        if backend.endpoint.address == address:
            return _Taken(_("the address of the API server"), backend.source)
    api = cluster.services.get(_API)
    for claim in address_claims(api) if api else ():
        if claim.address == address:
            return _Taken(
                _("the {kind} of {api}", kind=_(claim.kind.value), api=_API), claim.source
            )
    node = cluster.node_by_ip.get(address)
    if node is not None:
        return _Taken(_("an address of node {node}", node=node.name), _address_ref(node, address))
    return None


def _address_ref(node: NodeView, address: str) -> Ref:
    status = node.api_object.status if node.api_object else None
    listed_there = (status.addresses if status else None) or ()
    index = next(i for i, a in enumerate(listed_there) if canonical_ip(a.address) == address)
    ref = node.api_object.ref if node.api_object else NOWHERE
    return ref.at("status", "addresses", index, "address")


def _taken(cluster: ClusterView, address: str, port: ServicePort) -> Iterator[_Taken]:
    """Yield the first thing known to answer at the address and port."""
    found = (
        *_api_at(cluster, address, port),
        *_node_port_at(cluster, address, port),
        *_program_at(cluster, address, port),
    )
    yield from found[:1]


def _api_at(cluster: ClusterView, address: str, port: ServicePort) -> Iterator[_Taken]:
    if port.protocol != Protocol.TCP.value:
        return
    for backend in cluster.backends.get(_API, ()):
        if (backend.endpoint.address, backend.endpoint.port) == (address, port.port):
            yield _Taken(_("the API server"), backend.source)
    api = cluster.services.get(_API)
    for claim in address_claims(api) if api else ():
        if claim.address == address and port.port in {p.port for p in claim.service.ports}:
            yield _Taken(_("Service {api}", api=_API), claim.source)


def _node_port_at(cluster: ClusterView, address: str, port: ServicePort) -> Iterator[_Taken]:
    protocol = Protocol.parse(port.protocol)
    if protocol is not None and address in cluster.node_by_ip:
        for claim in cluster.node_port_claims.get((protocol, port.port), ()):
            yield _Taken(
                _("{what} of {service}", what=claim.what, service=claim.service.full_name),
                claim.source,
            )


def _program_at(cluster: ClusterView, address: str, port: ServicePort) -> Iterator[_Taken]:
    protocol = Protocol.parse(port.protocol)
    node = cluster.node_by_ip.get(address)
    if protocol is None or node is None:
        return
    usual = _OF_NODES.get((protocol, port.port))
    if usual is not None:
        yield _Taken(
            _("{usual} of {node}", usual=_(usual), node=node.name), _address_ref(node, address)
        )
    elif node.has(Input.SOCKETS) and node.kube_proxy.version.at_least(_OPENS_NO_SOCKETS):
        for socket in node.listeners(protocol, port.port):
            yield _Taken(_("a program on {node}", node=node.name), socket.source)

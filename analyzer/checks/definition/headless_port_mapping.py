"""The check `headless-port-mapping`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analyzer.check import check
from analyzer.expect.target_port import resolve_target_port
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ServiceView


@check(
    station=Station.DEFINITION,
    severity=Severity.WARNING,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#headless-services",
        "https://github.com/kubernetes/kubernetes/issues/20488",
    ),
)
def headless_port_mapping(view: ServiceView) -> Iterator[Outcome]:
    """
    A headless Service has a port that differs from that of its pods, and nothing translates it.

    ## Why it matters
    The name of a headless Service resolves to the addresses of its pods, and clients connect to them
    directly. The Service's port exists nowhere: who uses it is refused, unless it asks DNS for the SRV record.

    ## How to put it right
    Give the Service the port of the pods, let clients use that port, or make a Service with a cluster IP
    (`clusterIP` cannot be changed: delete and create it).
    """
    service = view.service
    if not service.headless or service.spec.type == "ExternalName":
        return
    for index, port in enumerate(service.ports):
        leads_to = dict(_leads_to(view, index))
        if leads_to and port.port not in leads_to:
            yield _problem(view, index, leads_to)
        elif not leads_to and not _could_be_seen(view):
            yield Undecided(
                reason=_(
                    "where target port {effective_target_port} leads cannot be told without "
                    "endpoints or pods",
                    effective_target_port=port.effective_target_port,
                ),
                missing=(Input.ENDPOINT_SLICES.path(), Input.PODS.path()),
                command=Input.ENDPOINT_SLICES.command(),
            )


def _problem(view: ServiceView, index: int, leads_to: Mapping[int, ObjectRef]) -> Problem:
    service, port = view.service, view.service.ports[index]
    told = listed([str(n) for n in sorted(leads_to)])
    number = min(leads_to)
    return Problem(
        message=_(
            "headless Service {service} has port {port}, but its endpoints answer on "
            "{told}: without a cluster IP nothing translates it",
            service=service.full_name,
            port=port.port,
            told=told,
        ),
        evidence=(
            Evidence(service.ref.at("spec", "ports", index, "port"), _("port of the Service")),
            Evidence(leads_to[number], _("leads to {number}", number=number)),
            Evidence(service.ref.at("spec", "clusterIP"), _("headless")),
        ),
        remedy=_("Connect to port {told}, or make the Service one with a cluster IP", told=told),
        port=port.label,
    )


def _leads_to(view: ServiceView, index: int) -> Iterator[tuple[int, ObjectRef]]:
    """Yield the ports of the endpoints, and where it stands: the number itself, what pods declare, or slices."""
    service, port = view.service, view.service.ports[index]
    target = port.effective_target_port
    if isinstance(target, int) and service.spec.selector:
        yield target, service.target_port_ref(index)
        return
    for pod in view.selected_pods:
        found = resolve_target_port(port, pod)
        if found.number is not None and found.declared is not None:
            yield found.number, found.declared.source.at("containerPort")
    published = [(s.ref.at("ports"), s.ports) for s in view.slices]
    subsets = enumerate((view.endpoints.subsets if view.endpoints else None) or ())
    if view.endpoints is not None and not published:
        published = [(view.endpoints.ref.at("subsets", n, "ports"), s.ports) for n, s in subsets]
    for ref, ports in published if not view.selected_pods else ():
        for position, item in enumerate(ports or ()):
            if item.port and (item.name or "") == port.name:
                yield item.port, ref.at(position, "port")


def _could_be_seen(view: ServiceView) -> bool:
    cluster = view.cluster
    if view.service.spec.selector and cluster.has(Input.PODS):
        return True
    return cluster.has(Input.ENDPOINT_SLICES) or cluster.has(Input.ENDPOINTS)

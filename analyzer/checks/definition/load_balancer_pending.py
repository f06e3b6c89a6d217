"""The check `load-balancer-pending`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.changes import is_settled, parse_time
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import shortened
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ServiceView


@check(
    station=Station.DEFINITION,
    severity=Severity.WARNING,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer",
        "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/",
    ),
)
def load_balancer_pending(view: ServiceView) -> Iterator[Problem]:
    """
    A Service of type LoadBalancer has not been given an address.

    ## Why it matters
    Clients outside the cluster have no address to connect to (`EXTERNAL-IP <pending>`). Inside the cluster the
    Service works.

    ## How to put it right
    Run something that hands out load-balancer addresses (the cloud's controller manager, MetalLB, ServiceLB),
    and read the events of the Service for what it says. Without it, use type NodePort.

    ## Where it is silent
    In the first minute of a Service, and while it is being deleted.
    """
    service = view.service
    status = service.status.load_balancer
    if service.spec.type != "LoadBalancer" or (status is not None and status.ingress):
        return
    created = parse_time(service.metadata.creation_timestamp)
    if service.metadata.deletion_timestamp or not is_settled(
        created, view.cluster.identity.created_at, 0
    ):
        return
    events = [
        e
        for e in view.cluster.events_about("Service", service.namespace, service.name)
        if e.type == "Warning"
    ]
    told = f": {shortened(events[-1].message or '')}" if events else ""
    by = service.spec.load_balancer_class
    evidence = [
        Evidence(service.ref.at("spec", "type"), _("asks for a load balancer")),
        Evidence(service.ref.at("status", "loadBalancer"), _("holds no address")),
        *(Evidence(e.ref.at("message"), _("what the controller says")) for e in events[-1:]),
    ]
    yield Problem(
        message=_("LoadBalancer {service} has no address yet", service=service.full_name)
        + (_(" from {by}", by=by) if by else "")
        + told,
        evidence=tuple(evidence),
        remedy=_("Find out what should hand out the address, and what it says: ")
        + shell("kubectl", "-n", service.namespace, "describe", "service", service.name),
    )

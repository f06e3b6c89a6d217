"""The check `not-ready-addresses-published`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import patch, pointer
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ServiceView


@check(
    station=Station.DEFINITION,
    severity=Severity.INFO,
    needs=(Input.SERVICES, Input.PODS),
    references=(
        "https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/#ServiceSpec",
    ),
)
def not_ready_addresses_published(view: ServiceView) -> Iterator[Problem]:
    """
    The Service sends traffic to pods that are not ready, because it is told to.

    ## Why it matters
    With `publishNotReadyAddresses` the controllers call every pod ready, so connections also go to those that
    still start or whose readiness probe fails.

    ## How to put it right
    Take the field out, unless it is meant: peers of a StatefulSet that look for each other need it, on a
    headless Service of their own.

    ## Where it is silent
    On headless Services, and while all pods are ready.
    """
    service = view.service
    if service.spec.publish_not_ready_addresses is not True or service.headless:
        return
    unready = [p for p in view.current_pods if not p.ready and p.ips]
    if not unready:
        return
    path = pointer("spec", "publishNotReadyAddresses")
    yield Problem(
        message=_(
            "{service} also sends to {pods} that {are} not ready ({names}): "
            "publishNotReadyAddresses is set",
            service=service.full_name,
            pods=plural("{count:,} pod", "{count:,} pods", len(unready)),
            are=plural("is", "are", len(unready)),
            names=listed([p.name for p in unready]),
        ),
        evidence=(
            Evidence(
                service.ref.at("spec", "publishNotReadyAddresses"), _("publishes them as ready")
            ),
            Evidence(
                view.unready_pods[0].source,
                _("pod {pod} is not ready", pod=view.unready_pods[0].pod.name),
            ),
        ),
        remedy=patch(service.namespace, "service", service.name, {"op": "remove", "path": path}),
    )

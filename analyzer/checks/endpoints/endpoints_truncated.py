"""The check `endpoints-truncated`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.publication import OVER_CAPACITY_ANNOTATION
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ServiceView


@check(
    station=Station.ENDPOINTS,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.ENDPOINTS),
    advisory=True,
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#over-capacity-endpoints",
    ),
)
def endpoints_truncated(view: ServiceView) -> Iterator[Problem]:
    """
    The Endpoints object holds only some of the Service's endpoints.

    ## Why it matters
    An Endpoints object holds at most 1,000 addresses; the rest is left out. Who reads Endpoints (kube-proxy up
    to 1.18, some ingress controllers and client libraries) never sends anything to the others.

    ## How to put it right
    Let the reader use EndpointSlices, which hold all of them; kube-proxy does from 1.19 on.

    ## Where it is silent
    Kubernetes 1.21 only warned (`over-capacity: warning`) and left nothing out: then this is advice.
    """
    item = view.endpoints
    state = item.annotations.get(OVER_CAPACITY_ANNOTATION) if item else None
    if item is None or state not in {"truncated", "warning"}:
        return
    held = sum(
        len(s.addresses or ()) + len(s.not_ready_addresses or ()) for s in item.subsets or ()
    )
    all_of_them = {a for s in view.slices for e in s.endpoints or () for a in e.addresses or ()}
    more = _(" of {count:,}", count=len(all_of_them)) if len(all_of_them) > held else ""
    yield Problem(
        message=_(
            "Endpoints {view} {state}: it holds {addresses}{more}",
            view=view.key,
            state=_("is cut off") if state == "truncated" else _("is over its capacity"),
            addresses=plural("{count:,} address", "{count:,} addresses", held),
            more=more,
        ),
        evidence=(
            Evidence(item.ref.at("metadata", "annotations", OVER_CAPACITY_ANNOTATION), state),
        ),
        remedy=_("Let its readers use EndpointSlices: ")
        + shell(
            *("kubectl", "-n", view.key.namespace, "get", "endpointslices"),
            *("-l", f"kubernetes.io/service-name={view.key.name}"),
        ),
        severity=None if state == "truncated" else Severity.INFO,
    )

"""The check `endpoints-duplicate-slices`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.publication import MIRRORING_CONTROLLER, SLICE_CONTROLLER
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import EndpointSlice
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ServiceView

_LABEL = "endpointslice.kubernetes.io/managed-by"


@check(
    station=Station.ENDPOINTS,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.ENDPOINT_SLICES),
    advisory=True,
    references=(
        "https://github.com/kubernetes/kubernetes/issues/111929",
        "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management",
    ),
)
def endpoints_duplicate_slices(view: ServiceView) -> Iterator[Outcome]:
    """
    A Service has EndpointSlices of a controller that does not look after it any more.

    ## Why it matters
    A Service with a selector gets its slices from the EndpointSlice controller, one without from its Endpoints
    (mirrored). When a selector is removed or added, the slices of the other controller stay as they were: nobody
    updates them, and kube-proxy goes on sending to what they hold.

    ## How to put it right
    Delete the slices that were left behind.

    ## Where it is silent
    On slices that others write (label `managed-by` with another value, or without it).
    """
    if view.service.spec.type == "ExternalName":
        return
    if view.cluster.lacks_slices:
        yield _undecided()
    orphaned_by = MIRRORING_CONTROLLER if view.service.spec.selector else SLICE_CONTROLLER
    left = [s for s in view.slices if s.managed_by == orphaned_by and s.endpoints]
    if not left:
        return
    has = _("has a selector now") if view.service.spec.selector else _("has no selector any more")
    yield Problem(
        message=_(
            "{view} {has}, but EndpointSlice {names} of {orphaned_by} still {add} {addresses}",
            view=view.key,
            has=has,
            names=listed([s.name for s in left]),
            orphaned_by=orphaned_by,
            add=plural("adds", "add", len(left)),
            addresses=listed(_addresses(left)),
        ),
        evidence=(
            *(
                Evidence(s.ref.at("metadata", "labels", _LABEL), _("slice {s}", s=s.name))
                for s in left[:3]
            ),
            _selector(view),
        ),
        remedy=shell(
            "kubectl", "-n", view.key.namespace, "delete", "endpointslice", *[s.name for s in left]
        ),
    )


def _undecided() -> Undecided:
    needed = Input.ENDPOINT_SLICES
    return Undecided(
        reason=_("{path} is not in the bundle", path=needed.path()),
        missing=(needed.path(),),
        command=needed.command(),
    )


def _addresses(slices: list[EndpointSlice]) -> list[str]:
    return [a for s in slices for e in s.endpoints or () for a in e.addresses or ()]


def _selector(view: ServiceView) -> Evidence:
    ref = view.service.ref
    if view.service.spec.selector:
        return Evidence(ref.at("spec", "selector"), _("the selector"))
    return Evidence(ref.at("metadata", "name"), _("a Service without selector"))

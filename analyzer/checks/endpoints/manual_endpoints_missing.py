"""The check `manual-endpoints-missing`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches

from analyzer.check import check
from analyzer.commands import edit
from analyzer.expect.publication import LEADER_ANNOTATION, SKIP_MIRROR_LABEL
from analyzer.language import _
from analyzer.model.forwarding import Protocol, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Endpoints, EndpointSlice
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, ServiceView

_LONGEST = 63
"""Characters that the name of a Service can have (RFC 1035 label)."""

_WRITTEN_BY_API_SERVER = ServiceKey("default", "kubernetes")


@check(
    station=Station.ENDPOINTS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    consequence_of=("endpoints-not-written",),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors",
    ),
)
def manual_endpoints_missing(view: ServiceView) -> Iterator[Outcome]:
    """
    A Service without selector has no endpoints that fit, and no controller will make any.

    ## Why it matters
    Without a selector, somebody has to write the endpoints. They must have the name of the Service (or, in an
    EndpointSlice, its label `kubernetes.io/service-name`), and their ports the names of the Service's ports.

    ## How to put it right
    Create the EndpointSlice, or correct its name, label or port names. If the Service was to select pods, give
    it its selector.

    ## Where it is silent
    `default/kubernetes`, whose endpoints the API server writes, and Endpoints that are used for the election
    of a leader.
    """
    if view.service.spec.selector or view.service.spec.type == "ExternalName":
        return
    if view.key == _WRITTEN_BY_API_SERVER or _elects_leader(view.endpoints):
        return
    cluster = view.cluster
    needed = Input.ENDPOINT_SLICES if cluster.lacks_slices else cluster.endpoints_input
    if cluster.lacks_slices or not cluster.has(needed):
        yield _undecided(view, needed)
    elif not view.backends:
        yield from _nothing_usable(view)
    elif not any(b.ready or (b.serving and b.terminating) for b in view.backends):
        yield _problem(
            view,
            _(
                "all endpoints that were written for {view}, which has no selector, are "
                "marked not ready",
                view=view.key,
            ),
            Evidence(view.backends[0].source, _("an address that is marked not ready")),
        )
    elif not view.service.headless:
        yield from _unjoined_ports(view)


def _undecided(view: ServiceView, needed: Input) -> Undecided:
    return Undecided(
        reason=view.cluster.availability(needed).reason
        or _("{path} is not in the bundle", path=needed.path()),
        missing=(needed.path(),),
        command=needed.command(),
    )


def _elects_leader(item: Endpoints | None) -> bool:
    return item is not None and LEADER_ANNOTATION in item.annotations


def _nothing_usable(view: ServiceView) -> Iterator[Outcome]:
    item = view.endpoints
    if not view.slices and not view.cluster.has(Input.ENDPOINTS):
        yield _undecided(view, Input.ENDPOINTS)
        return
    filled = item is not None and any(s.addresses for s in item.subsets or ())
    if item is not None and filled:
        # Who should have mirrored them is told by endpoints-not-written.
        if item.labels.get(SKIP_MIRROR_LABEL) == "true":
            yield _problem(
                view,
                _(
                    "Endpoints {view} are not mirrored to an EndpointSlice, from which "
                    "kube-proxy reads: label {skip_mirror_label}",
                    view=view.key,
                    skip_mirror_label=SKIP_MIRROR_LABEL,
                ),
                Evidence(item.ref.at("metadata", "labels", SKIP_MIRROR_LABEL), _("not mirrored")),
            )
        return
    if view.slices or item is not None:
        if view.service.headless:
            return
        held = view.slices[0] if view.slices else view.endpoints
        ref = held.ref.at("metadata", "name") if held else view.service.ref
        yield _problem(
            view,
            _(
                "the endpoints that were written for {view}, which has no selector, hold no "
                "address with a port",
                view=view.key,
            ),
            Evidence(ref, _("no usable endpoint")),
        )
        return
    lonely = _similar(view.cluster, view.key)
    told = _("; {lonely} belongs to no Service", lonely=lonely.full_name) if lonely else ""
    yield _problem(
        view,
        _(
            "{view} has no selector, and no endpoints were written for it{told}",
            view=view.key,
            told=told,
        ),
        *([Evidence(lonely.ref.at("metadata", "name"), _("of a similar name"))] if lonely else ()),
    )


def _similar(cluster: ClusterView, key: ServiceKey) -> Endpoints | EndpointSlice | None:
    """Return endpoints of the namespace that belong to no Service and are named alike."""
    lonely: dict[str, Endpoints | EndpointSlice] = {
        k.name: items[0]
        for k, items in cluster.slices.items()
        if k.namespace == key.namespace and k not in cluster.services
    }
    lonely.update(
        (k.name, item)
        for k, item in cluster.endpoints.items()
        if k.namespace == key.namespace and k not in cluster.services and not _elects_leader(item)
    )
    short = {name[:_LONGEST]: item for name, item in lonely.items()}
    near = get_close_matches(key.name[:_LONGEST], short, 1)
    return short[near[0]] if near else None


def _unjoined_ports(view: ServiceView) -> Iterator[Problem]:
    offered = {(b.port_name, b.protocol) for b in view.backends}
    names = sorted({f"{name or 'unnamed'} ({protocol.value})" for name, protocol in offered})
    for index, port in enumerate(view.service.ports):
        if (port.name, Protocol.parse(port.protocol)) in offered:
            continue
        ref = view.service.ref.at("spec", "ports", index)
        wanted = f"{port.name or 'without name'} ({port.protocol})"
        yield replace(
            _problem(
                view,
                _(
                    "no endpoint of {view} has a port {wanted}, as its Service port has; they "
                    "have {names}",
                    view=view.key,
                    wanted=wanted,
                    names=listed(names),
                ),
                Evidence(ref.at("name") if port.name else ref.at("port"), _("port of the Service")),
                Evidence(_ports_of(view), _("ports of the endpoints")),
            ),
            remedy=_(
                "Give the port of the endpoints the name and protocol of the Service's port: "
                "{wanted}",
                wanted=wanted,
            ),
            port=port.label,
        )


def _ports_of(view: ServiceView) -> ObjectRef:
    if view.cluster.endpoints_input is Input.ENDPOINT_SLICES:
        ref, ports = view.slices[0].ref.at("ports", 0), view.slices[0].ports
    else:
        assert view.endpoints is not None
        subsets = view.endpoints.subsets or ()
        ref, ports = view.endpoints.ref.at("subsets", 0, "ports", 0), subsets[0].ports
    return ref.at("name" if ports and ports[0].name else "port")


def _problem(view: ServiceView, message: str, *evidence: Evidence) -> Problem:
    return Problem(
        message=message,
        evidence=(
            *evidence,
            Evidence(view.service.ref.at("metadata", "name"), _("a Service without selector")),
        ),
        remedy=_(
            "Write an EndpointSlice with the label kubernetes.io/service-name and the "
            "Service's port names, or give the Service a selector: "
        )
        + edit(view.key.namespace, "service", view.key.name),
    )

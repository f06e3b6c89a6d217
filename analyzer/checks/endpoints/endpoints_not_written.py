"""The check `endpoints-not-written`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.changes import is_settled, parse_time
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Workload
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, ServiceView


@check(
    station=Station.ENDPOINTS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/",
    ),
)
def endpoints_not_written(cluster: ClusterView) -> Iterator[Outcome]:
    """
    The controllers have not written the endpoints of Services.

    ## Why it matters
    kube-controller-manager writes Endpoints and EndpointSlices for every Service that has a selector, empty ones
    where no pod matches, and mirrors those that are written by hand. Where there are none it does not run, or
    may not write. kube-proxy then rejects every connection to the Service.

    ## How to put it right
    Look at kube-controller-manager: does its pod run, does it hold its lease, what does its log say of the
    endpoint controllers? Deployments without ReplicaSets and ReplicaSets without pods are signs of the same.

    ## Where it is silent
    While all of these Services are younger than a minute.
    """
    yield from _unseen(cluster)
    unwritten = [view for view in cluster.service_views.values() if view.unwritten]
    if any(_is_old(view) for view in unwritten):
        yield _problem(cluster, [v for v in unwritten if _has_something_to_write(v)] or unwritten)


def _unseen(cluster: ClusterView) -> Iterator[Undecided]:
    """Yield what the bundle would have to hold for a sure answer."""
    needed = Input.ENDPOINT_SLICES if cluster.lacks_slices else cluster.endpoints_input
    if cluster.lacks_slices or not cluster.has(needed):
        yield _undecided(cluster, needed)
        return
    views = cluster.service_views.values()
    if not cluster.has(Input.PODS) and any(
        v.service.spec.selector and v.slices and not v.backends for v in views
    ):
        yield _undecided(cluster, Input.PODS)
    if not cluster.has(Input.ENDPOINTS):
        for view in views:
            if not view.service.spec.selector and not view.slices and view.proxied:
                yield replace(_undecided(cluster, Input.ENDPOINTS), service=view.key)


def _undecided(cluster: ClusterView, needed: Input) -> Undecided:
    return Undecided(
        reason=cluster.availability(needed).reason
        or _("{path} is not in the bundle", path=needed.path()),
        missing=(needed.path(),),
        command=needed.command(),
    )


def _is_old(view: ServiceView) -> bool:
    """Tell whether there was time to write: an object since the Service is there, its content since a change."""
    at = view.cluster.identity.created_at
    created = parse_time(view.service.metadata.creation_timestamp)
    never = view.service.spec.selector and not view.slices
    return is_settled(created if never else view.last_change, at, 0)


def _has_something_to_write(view: ServiceView) -> bool:
    """Tell whether there are, or would be, pods: a Service without them would have no endpoints anyway."""
    known = view.cluster.has(Input.PODS) and view.cluster.has(Input.DEPLOYMENTS)
    wanted = view.selected_pods or view.workloads or not view.service.spec.selector
    return bool(wanted) or not known


def _problem(cluster: ClusterView, views: Sequence[ServiceView]) -> Problem:
    idle = _idle_deployments(cluster)
    stale = [v.key for v in cluster.service_views.values() if v.differences and not v.unwritten]
    affected = frozenset((*(v.key for v in views), *stale))
    evidence = [_nothing(v) for v in views[:3]]
    evidence.extend(
        Evidence(w.ref.at("spec", "replicas"), _("no ReplicaSet was made for {w}", w=w.full_name))
        for w in idle[:2]
    )
    evidence.extend(_controller_trouble(cluster))
    return Problem(
        message=_(
            "no endpoints were written for {names}{told}: {blame}",
            names=_names(views),
            told=_told(idle),
            blame=_blame(cluster, idle),
        ),
        evidence=tuple(evidence),
        remedy=_("Find out why kube-controller-manager does not run, or may not write: ")
        + shell(*("kubectl", "-n", "kube-system", "get", "pods,leases", "-o", "wide")),
        service=views[0].key if len(affected) == 1 else None,
        affects=affected if len(affected) > 1 else frozenset(),
    )


def _names(views: Sequence[ServiceView]) -> str:
    names = listed([v.service.full_name for v in views])
    return (
        names
        if len(views) == 1
        else plural(
            "{count:,} Service ({names})", "{count:,} Services ({names})", len(views), names=names
        )
    )


def _told(idle: Sequence[Workload]) -> str:
    return (
        _(
            "; nor were ReplicaSets made for {deployments}",
            deployments=plural("{count:,} Deployment", "{count:,} Deployments", len(idle)),
        )
        if idle
        else ""
    )


def _blame(cluster: ClusterView, idle: Sequence[Workload]) -> str:
    served = any(
        v.slices or v.endpoints
        for v in cluster.service_views.values()
        if v.service.spec.selector and not v.unwritten
    )
    missed = served and not idle
    return (
        _("kube-controller-manager missed it")
        if missed
        else _("kube-controller-manager does not do its work")
    )


def _nothing(view: ServiceView) -> Evidence:
    service = view.service
    if not service.spec.selector and view.endpoints is not None:
        ref = view.endpoints.ref.at("metadata", "name")
        return Evidence(ref, _("Endpoints that were not mirrored to an EndpointSlice"))
    if view.slices:
        return Evidence(view.slices[0].ref.at("endpoints"), _("empty, although pods are ready"))
    return Evidence(service.ref.at("metadata", "name"), _("a Service for which there is nothing"))


def _idle_deployments(cluster: ClusterView) -> list[Workload]:
    """Return Deployments that want pods and have no ReplicaSet, where both dumps are whole."""
    if not cluster.has(Input.DEPLOYMENTS) or not cluster.has(Input.REPLICA_SETS):
        return []
    owners = {
        (w.namespace, o.name)
        for w in cluster.workloads
        if w.kind == "ReplicaSet"
        for o in w.metadata.owner_references or ()
    }
    return [
        w
        for w in cluster.workloads
        if w.kind == "Deployment" and w.spec.replicas != 0 and (w.namespace, w.name) not in owners
    ]


def _controller_trouble(cluster: ClusterView) -> Iterator[Evidence]:
    for pod in cluster.pods_by_namespace.get("kube-system", ()):
        if pod.name.startswith("kube-controller-manager") and not pod.ready:
            found = cluster.why_unready(pod)
            yield Evidence(
                found.source, _("pod {pod}: {reason}", pod=pod.name, reason=found.reason)
            )

"""The check `endpoints-stale`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analyzer.commands import shell
from analyzer.expect.changes import is_settled, parse_time
from analyzer.expect.publication import Difference, DifferenceKind, differences_from_endpoints
from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.phrases import counted, listed
from analyzer.snapshot import ClusterView, ServiceView

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Stale:
    """A Service whose endpoints differ from its pods."""

    view: ServiceView
    differences: Sequence[Difference]

    @property
    def any_right(self) -> bool:
        """True where some endpoint that gets traffic is right."""
        wrong = {d.published.endpoint for d in self.differences if d.published}
        return any(b.ready and b.endpoint not in wrong for b in self.view.backends)


@check(
    station=Station.ENDPOINTS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("endpoints-not-written",),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management",
        "https://github.com/kubernetes/kubernetes/issues/117193",
    ),
)
def endpoints_stale(cluster: ClusterView) -> Iterator[Outcome]:
    """
    The published endpoints are not those of the Service's pods.

    ## Why it matters
    kube-proxy sends traffic to what was published. An address that no pod has any more answers nobody, or
    belongs to another pod by now; a ready pod that is not published gets nothing.

    ## How to put it right
    Look at kube-controller-manager, which should have followed the pods within seconds. A slice that stays wrong
    can be deleted: the controller writes it anew.

    ## Where it is silent
    On anything that changed in the last minute before the bundle was made, on pods that are not ready either
    way, on endpoints that others write (no selector, other `managed-by`), and on terminating pods.
    Where only the Endpoints object differs, and kube-proxy reads EndpointSlices, it is a warning.
    """
    needed = cluster.endpoints_input
    if not cluster.has(needed):
        yield Undecided(
            reason=cluster.availability(needed).reason,
            missing=(needed.path(),),
            command=needed.command(),
        )
        return
    stale = [s for v in cluster.service_views.values() for s in _stale(v)]
    if stale:
        yield _problem(cluster, stale)
    if needed is Input.ENDPOINT_SLICES and cluster.has(Input.ENDPOINTS):
        known = {s.view.key for s in stale}
        for view in cluster.service_views.values():
            if view.key not in known:
                yield from _only_endpoints(view)


def _stale(view: ServiceView) -> Iterator[_Stale]:
    felt = [] if view.unwritten else [d for d in view.differences if _is_felt(view, d)]
    if felt:
        yield _Stale(view, felt)


def _is_felt(view: ServiceView, difference: Difference) -> bool:
    """Tell whether traffic goes somewhere else because of it, and its pod did not go this very minute."""
    expected, published = difference.expected, difference.published
    ready = bool((published and published.ready) or (expected and expected.ready))
    if expected is not None and expected.terminating:
        return False
    return ready and not (published is not None and _changed_lately(view.cluster, published.pod))


def _changed_lately(cluster: ClusterView, pod: str) -> bool:
    namespace, _, name = pod.partition("/")
    times = [
        parse_time(e.last_timestamp or e.event_time)
        for e in cluster.events_about("Pod", namespace, name)
    ]
    return any(t and not is_settled(t, cluster.identity.created_at, 0) for t in times)


def _problem(cluster: ClusterView, stale: Sequence[_Stale]) -> Problem:
    several = len(stale) > 1
    first = stale[0]
    told = listed([_told(first.view, d) for d in first.differences])
    others = f"; so do those of {listed([str(s.view.key) for s in stale[1:]])}" if several else ""
    evidence = [e for s in stale[:_SHOWN] for d in s.differences[:2] for e in _evidence(cluster, d)]
    return Problem(
        message=f"the endpoints of {first.view.key} do not follow its pods: {told}{others}",
        evidence=tuple(evidence[:6]),
        remedy="Find out why kube-controller-manager does not follow the pods; then let it write the slices anew: "
        + shell(
            *("kubectl", "-n", first.view.key.namespace, "delete", "endpointslice"),
            *("-l", f"kubernetes.io/service-name={first.view.key.name}"),
        ),
        service=None if several else first.view.key,
        affects=frozenset(s.view.key for s in stale) if several else frozenset(),
        partial=any(s.any_right for s in stale),
    )


def _told(view: ServiceView, difference: Difference) -> str:
    expected, published = difference.expected, difference.published
    if difference.kind is DifferenceKind.MISSING and expected:
        return f"{expected.endpoint} of ready pod {expected.pod} is not published"
    if published is None or expected is None:
        pod = view.cluster.pod_by_name.get(published.pod) if published and published.pod else None
        where = f"pod {pod.full_name} has {listed(pod.ips)}" if pod and pod.ips else "no pod has it"
        return f"{published.endpoint if published else ''} is published, but {where}"
    state = "ready, but its pod is not" if published.ready else "not ready, but its pod is"
    return f"{published.endpoint} is published as {state}"


def _evidence(cluster: ClusterView, difference: Difference) -> Iterator[Evidence]:
    expected, published = difference.expected, difference.published
    if published is not None:
        yield Evidence(published.source, f"published: {published.endpoint}")
    if expected is not None:
        yield Evidence(expected.source, f"pod {expected.pod}")
    elif published is not None and published.pod in cluster.pod_by_name:
        pod = cluster.pod_by_name[published.pod]
        yield Evidence(pod.ref.at("status", "podIP"), f"pod {pod.full_name}")


def _only_endpoints(view: ServiceView) -> Iterator[Problem]:
    if view.endpoints is None or view.unwritten:
        return
    if not is_settled(view.last_change, view.cluster.identity.created_at, 0):
        return
    found: Mapping[str, Difference] = {
        _told(view, d): d
        for d in differences_from_endpoints(view.service, view.matching_pods, view.endpoints)
        if _is_felt(view, d)
    }
    if found:
        evidence = [e for d in list(found.values())[:2] for e in _evidence(view.cluster, d)]
        yield Problem(
            message=f"the Endpoints object of {view.key}, unlike its EndpointSlices, does not follow its pods: "
            f"{listed(list(found))}; {counted(len(found), 'address')} affected",
            evidence=tuple(evidence[:4]),
            remedy="Only readers of Endpoints see this; let the controller write it anew: "
            + shell("kubectl", "-n", view.key.namespace, "delete", "endpoints", view.key.name),
            service=view.key,
            severity=Severity.WARNING,
        )

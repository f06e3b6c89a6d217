"""The check `endpoints-stale`."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.changes import is_settled, parse_time
from analyzer.expect.publication import Difference, DifferenceKind, differences_from_endpoints
from analyzer.expect.readiness import condition_ref
from analyzer.language import _, plural
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.backend import Backend
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import Availability, ClusterView, ServiceView

_SHOWN = 3
_TOLERATE_UNREADY = "service.alpha.kubernetes.io/tolerate-unready-endpoints"


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
    advisory=True,
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
    needed = Input.ENDPOINT_SLICES if cluster.lacks_slices else cluster.endpoints_input
    if cluster.lacks_slices or not cluster.has(needed):
        yield _undecided(cluster, needed)
    stale = [s for v in cluster.service_views.values() for s in _stale(v)]
    if stale:
        yield _problem(cluster, stale)
    for view in cluster.service_views.values():
        yield from _untold(view)
    if cluster.endpoints_input is Input.ENDPOINT_SLICES:
        yield from _only_endpoints(cluster, {s.view.key for s in stale})


def _undecided(cluster: ClusterView, needed: Input) -> Undecided:
    return Undecided(
        reason=cluster.availability(needed).reason
        or _("{path} is not in the bundle", path=needed.path()),
        missing=(needed.path(),),
        command=needed.command(),
    )


def _stale(view: ServiceView) -> Iterator[_Stale]:
    felt = (
        []
        if view.unwritten or _tolerates_unready(view)
        else [d for d in view.differences if _is_felt(view, d)]
    )
    if felt:
        yield _Stale(view, felt)


def _tolerates_unready(view: ServiceView) -> bool:
    """Tell whether the older form of `publishNotReadyAddresses` is set (1.5 to 1.23), which slices do not follow."""
    return view.service.annotations.get(_TOLERATE_UNREADY) == "true"


def _is_felt(view: ServiceView, difference: Difference) -> bool:
    """Tell whether traffic goes somewhere else because of it, and its pod did not go this very minute."""
    expected, published = difference.expected, difference.published
    if expected is not None and expected.terminating:
        return False
    if published is not None and (
        published.port_name in _quoted_ports(view) or _may_have_gone_lately(view.cluster, published)
    ):
        return False
    return bool((published and published.ready) or (expected and expected.ready))


def _untold(view: ServiceView) -> Iterator[Undecided]:
    """Pods that are gone: without events it cannot be told since when."""
    if not _lacks_events(view.cluster):
        return
    gone = [d.published for d in view.differences if d.published and d.published.ready]
    if any(b.pod and b.pod not in view.cluster.pod_by_name for b in gone):
        yield replace(_undecided(view.cluster, Input.EVENTS), service=view.key)


def _may_have_gone_lately(cluster: ClusterView, published: Backend) -> bool:
    if _lacks_events(cluster) and published.pod and published.pod not in cluster.pod_by_name:
        return True
    namespace, _, name = published.pod.partition("/")
    times = [
        parse_time(e.last_timestamp or e.event_time)
        for e in cluster.events_about("Pod", namespace, name)
    ]
    return any(t and not is_settled(t, cluster.identity.created_at, 0) for t in times)


def _lacks_events(cluster: ClusterView) -> bool:
    return cluster.availability(Input.EVENTS).availability is Availability.ABSENT


def _quoted_ports(view: ServiceView) -> frozenset[str]:
    """Return the ports whose target is a number in quotes: that it was found tells of the tool that quoted it."""
    return frozenset(
        p.name
        for p in view.service.ports
        if str(p.effective_target_port).isdigit() and isinstance(p.effective_target_port, str)
    )


def _problem(cluster: ClusterView, stale: Sequence[_Stale]) -> Problem:
    several = len(stale) > 1
    first = stale[0]
    others = (
        _("; nor do those of {names}", names=listed([str(s.view.key) for s in stale[1:]]))
        if several
        else ""
    )
    evidence = [e for s in stale[:_SHOWN] for d in s.differences[:2] for e in _evidence(cluster, d)]
    return Problem(
        message=_(
            "the endpoints of {view} do not follow its pods: {told}{others}",
            view=first.view.key,
            told=_told(first.view, first.differences),
            others=others,
        ),
        evidence=tuple(dict.fromkeys(evidence))[:6],
        remedy=_(
            "Find out why kube-controller-manager does not follow the pods; then let it "
            "write the slices anew: "
        )
        + shell(
            *("kubectl", "-n", first.view.key.namespace, "delete", "endpointslice"),
            *("-l", f"kubernetes.io/service-name={first.view.key.name}"),
        ),
        service=None if several else first.view.key,
        affects=frozenset(s.view.key for s in stale) if several else frozenset(),
        partial=any(s.any_right for s in stale),
    )


def _told(view: ServiceView, differences: Sequence[Difference]) -> str:
    """Tell the first kinds of differences, what is alike once."""
    alike: dict[_Kind | str, dict[str, None]] = {}
    for difference in differences:
        kind, name = _kind(view, difference)
        alike.setdefault(kind, {})[name] = None
    texts = [_say(view, kind, tuple(names)) for kind, names in alike.items()]
    more = _(" ({count:,} more)", count=len(texts) - _SHOWN) if len(texts) > _SHOWN else ""
    return _("; ").join(texts[:_SHOWN]) + more


class _Kind(Enum):
    """How what is published differs from the pods; the text for a pod with another address is its own kind."""

    MISSING = "missing"
    READY = "ready"
    NOT_READY = "not ready"
    OF_NO_POD = "of no pod"
    NOT_CALLED_FOR = "not called for"


def _kind(view: ServiceView, difference: Difference) -> tuple[_Kind | str, str]:
    """Return the kind of a difference, and what differs so."""
    expected, published = difference.expected, difference.published
    if published is None:
        assert expected is not None
        return _Kind.MISSING, f"{expected.pod} ({expected.endpoint.address})"
    address = published.endpoint.address
    if expected is not None:
        return (_Kind.READY if published.ready else _Kind.NOT_READY), address
    pod = view.cluster.pod_by_name.get(published.pod)
    if pod is None or pod.finished:
        return _Kind.OF_NO_POD, address
    own = [ip for ip in pod.ips if family_of(ip) is family_of(address)]
    if address in map(canonical_ip, own):
        return _Kind.NOT_CALLED_FOR, str(published.endpoint)
    told = _(
        "{address} is published, but pod {pod} has {addresses}",
        address=address,
        pod=pod.full_name,
        addresses=listed(own) or _("no address"),
    )
    return told, address


def _say(view: ServiceView, kind: _Kind | str, names: tuple[str, ...]) -> str:
    told, number = listed(names), len(names)
    match kind:
        case _Kind.MISSING:
            return plural(
                "ready pod {names} is missing", "ready pods {names} are missing", number, names=told
            )
        case _Kind.READY:
            return plural(
                "{names} is published as ready, but its pod is not",
                "{names} are published as ready, but their pods are not",
                number,
                names=told,
            )
        case _Kind.NOT_READY:
            return plural(
                "{names} is published as not ready, but its pod is",
                "{names} are published as not ready, but their pods are",
                number,
                names=told,
            )
        case _Kind.OF_NO_POD:
            return plural(
                "{names} is published, but no pod has it",
                "{names} are published, but no pod has them",
                number,
                names=told,
            )
        case _Kind.NOT_CALLED_FOR:
            return plural(
                "{names} is published, but {view} does not call for it",
                "{names} are published, but {view} does not call for them",
                number,
                names=told,
                view=view.key,
            )
        case _:
            return kind


def _evidence(cluster: ClusterView, difference: Difference) -> Iterator[Evidence]:
    expected, published = difference.expected, difference.published
    if published is not None:
        yield Evidence(
            published.source, _("published: {address}", address=published.endpoint.address)
        )
    name = expected.pod if expected else published.pod if published else ""
    pod = cluster.pod_by_name.get(name)
    if pod is not None and difference.kind is DifferenceKind.READINESS:
        yield Evidence(condition_ref(pod, "Ready"), _("pod {name}: condition Ready", name=name))
    elif pod is not None:
        yield Evidence(pod.ref.at("status", "podIP"), _("address of pod {name}", name=name))


def _only_endpoints(cluster: ClusterView, told: Container[ServiceKey]) -> Iterator[Outcome]:
    """Endpoints objects that differ although the slices do not."""
    if not cluster.has(Input.ENDPOINTS):
        yield _undecided(cluster, Input.ENDPOINTS)
        return
    for view in cluster.service_views.values():
        if view.endpoints is None or view.unwritten or view.key in told:
            continue
        if _tolerates_unready(view):
            continue
        found = [
            d
            for d in differences_from_endpoints(view.called_ports, view.endpoints)
            if _is_felt(view, d)
        ]
        if found and view.settled:
            yield _endpoints_problem(view, found)


def _endpoints_problem(view: ServiceView, found: Sequence[Difference]) -> Problem:
    evidence = [e for d in found[:2] for e in _evidence(view.cluster, d)]
    return Problem(
        message=_(
            "the Endpoints object of {view}, unlike its EndpointSlices, does not follow "
            "its pods: {told}",
            view=view.key,
            told=_told(view, found),
        ),
        evidence=tuple(dict.fromkeys(evidence))[:4],
        remedy=_("Only readers of Endpoints see this; let the controller write it anew: ")
        + shell("kubectl", "-n", view.key.namespace, "delete", "endpoints", view.key.name),
        service=view.key,
        severity=Severity.WARNING,
    )

"""The paths of the Services that are worth a picture, gathered from the views of cluster and nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from analyzer.findings import ServiceReport
from analyzer.language import _
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Endpoint, ForwardingTable, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.service_path import EndpointSite, NodePath, Readiness, ServicePath, Sides
from analyzer.model.verdict import Verdict
from analyzer.snapshot import ClusterView, NodeView, ServiceView

Table = TypeVar("Table", ForwardingTable, ForwardingTable | None)

_ALL = 60
"""Up to so many Services, each of them gets a picture."""

_MOST = 10
"""Beyond, those that do not work do, and no more than this: the page of a large cluster is large enough."""

_PER_CAUSE = 3
"""And of Services with one cause no more than this: their pictures tell the same."""


def worth_a_picture(services: Sequence[ServiceReport]) -> tuple[ServiceKey, ...]:
    """Return the Services to draw: all of a small cluster, else the ones that do not work, a few of each cause."""
    if len(services) <= _ALL:
        return tuple(s.service.key for s in services)
    drawn: dict[str | None, int] = {}
    chosen: list[ServiceKey] = []
    for verdict in (Verdict.BROKEN, Verdict.DEGRADED):
        for service in (s for s in services if s.verdict is verdict):
            drawn[service.cause] = drawn.get(service.cause, 0) + 1
            if drawn[service.cause] <= _PER_CAUSE:
                chosen.append(service.service.key)
    return tuple(chosen[:_MOST])


def service_paths(
    cluster: ClusterView, keys: Sequence[ServiceKey], nodes: Sequence[NodeView]
) -> tuple[ServicePath, ...]:
    """Return the paths of these Services through these nodes."""
    views = (cluster.service_views[key] for key in keys)
    return tuple(_path(view, [n for n in nodes if not n.windows]) for view in views)


def _path(view: ServiceView, nodes: Sequence[NodeView]) -> ServicePath:
    paths = tuple(_node_path(node, view.key) for node in nodes) if view.proxied else ()
    return ServicePath(view.key, paths, tuple(_sites(view, paths)))


def _node_path(node: NodeView, key: ServiceKey) -> NodePath:
    """Return what a node does; where the rules of one IP family only were read, that family alone is compared."""
    read = [family for family in Family if node.observed(family) is not None]
    return NodePath(
        node=node.name,
        mode=node.kube_proxy.mode,
        sides=tuple(
            Sides(_of(node.expected(family), key), _of(node.observed(family), key))
            for family in read or Family
        ),
        unread="" if read else node.rules_unread or _("its rules are not in the bundle"),
    )


def _of(table: Table, key: ServiceKey) -> Table:
    """Return what a table says of one Service."""
    if table is None:
        return table
    return ForwardingTable(table.family, table.by_service.get(key, ()))


def _sites(view: ServiceView, paths: Sequence[NodePath]) -> Iterator[EndpointSite]:
    seen: set[Endpoint] = set()
    for backend in view.backends:
        seen.add(backend.endpoint)
        yield _site(backend, _readiness(backend))
    for backend in view.expected_backends:
        if backend.endpoint not in seen:
            seen.add(backend.endpoint)
            yield _site(backend, Readiness.UNPUBLISHED)
    served = (e for path in paths for entry in path.observed for e in sorted(entry.endpoints))
    for endpoint in served:
        if endpoint not in seen:
            seen.add(endpoint)
            yield _stranger(view.cluster, endpoint)


def _site(backend: Backend, readiness: Readiness) -> EndpointSite:
    return EndpointSite(backend.endpoint, backend.port_name, backend.pod, backend.node, readiness)


def _readiness(backend: Backend) -> Readiness:
    if backend.terminating:
        return Readiness.TERMINATING
    return Readiness.READY if backend.ready else Readiness.NOT_READY


def _stranger(cluster: ClusterView, endpoint: Endpoint) -> EndpointSite:
    """Return who is at an address that the rules name and the API does not."""
    pod = cluster.pod_by_ip.get(endpoint.address)
    if pod is not None:
        return EndpointSite(endpoint, "", pod.full_name, pod.spec.node_name, Readiness.UNKNOWN)
    gone = Readiness.GONE if cluster.has(Input.PODS) else Readiness.UNKNOWN
    return EndpointSite(endpoint, "", "", "", gone)

"""One Service, as checks see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from analyzer.expect.backends import (
    is_proxied,
)
from analyzer.expect.changes import is_settled, last_change
from analyzer.expect.claims import AddressClaim, address_claims
from analyzer.expect.endpoints import expected_backends
from analyzer.expect.publication import (
    LEADER_ANNOTATION,
    SKIP_MIRROR_LABEL,
    CalledPorts,
    Difference,
    differences_from_endpoints,
    differences_from_slices,
)
from analyzer.expect.readiness import UnreadyPod
from analyzer.model.backend import Backend
from analyzer.model.forwarding import (
    ServiceKey,
)
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import Minor
from analyzer.model.kubernetes import (
    Endpoints,
    EndpointSlice,
    Pod,
    Service,
    Workload,
)

if TYPE_CHECKING:
    from analyzer.snapshot.cluster import ClusterView


@dataclass(eq=False)
class ServiceView:
    """One Service with everything that hangs on it."""

    cluster: ClusterView

    service: Service

    @cached_property
    def key(self) -> ServiceKey:
        """Namespace and name."""
        return self.service.key

    @cached_property
    def matching_pods(self) -> tuple[Pod, ...]:
        """Pods of the namespace whose labels match the selector, finished ones included."""
        selector = self.service.spec.selector
        if not selector:
            return ()
        pairs = selector.items()
        candidates = (self.cluster.pods_by_label.get((self.key.namespace, *p), ()) for p in pairs)
        fewest = min(candidates, key=len)
        return tuple([p for p in fewest if pairs <= p.labels.items()]) if len(pairs) > 1 else fewest

    @cached_property
    def selected_pods(self) -> tuple[Pod, ...]:
        """Pods of the namespace whose labels match the selector, finished ones left out."""
        return tuple([p for p in self.matching_pods if not p.finished])

    @cached_property
    def address_claims(self) -> tuple[AddressClaim, ...]:
        """The addresses at which kube-proxy serves it."""
        return tuple(address_claims(self.service))

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Deployments, StatefulSets, DaemonSets and lone ReplicaSets whose pods the selector matches."""
        pairs = (self.service.spec.selector or {}).items()
        found = self.cluster.workloads_by_namespace.get(self.key.namespace, ())
        return tuple(
            w
            for w in found
            if pairs
            and pairs <= (w.spec.template.metadata.labels or {}).items()
            and not (w.kind == "ReplicaSet" and w.metadata.owner_references)
        )

    @cached_property
    def current_pods(self) -> tuple[Pod, ...]:
        """The selected pods that are not being deleted."""
        return tuple([p for p in self.selected_pods if not p.terminating])

    @cached_property
    def unready_pods(self) -> tuple[UnreadyPod, ...]:
        """The current pods that are not ready, and why."""
        return tuple([self.cluster.why_unready(p) for p in self.current_pods if not p.ready])

    @cached_property
    def expected_backends(self) -> tuple[Backend, ...]:
        """What the endpoint controllers ought to have published, re-derived from the pods."""
        return expected_backends(self.service, self.selected_pods)

    @cached_property
    def backends(self) -> tuple[Backend, ...]:
        """What they published, as kube-proxy reads it."""
        return self.cluster.published(self.key)

    @property
    def slices(self) -> tuple[EndpointSlice, ...]:
        """EndpointSlices of the Service."""
        return self.cluster.slices.get(self.key, ())

    @property
    def endpoints(self) -> Endpoints | None:
        """The Endpoints object of the same name."""
        return self.cluster.endpoints.get(self.key)

    @cached_property
    def last_change(self) -> datetime | None:
        """When the Service, its pods or its endpoints changed last, or None where no object tells."""
        return last_change(self.service, self.selected_pods, self.slices, self.endpoints)

    @cached_property
    def called_ports(self) -> CalledPorts:
        """What its pods call for."""
        return CalledPorts(self.service, self.matching_pods)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """How the endpoints that kube-proxy reads differ from those that the pods call for.

        Nothing while a change is younger than 60 seconds, and where the dumps to compare are missing or cut off.
        """
        cluster = self.cluster
        if not cluster.has(Input.PODS) or not cluster.has(cluster.endpoints_input):
            return ()
        if cluster.endpoints_input is Input.ENDPOINT_SLICES:
            found = differences_from_slices(self.called_ports, self.slices, cluster.known_nodes)
        else:
            found = differences_from_endpoints(self.called_ports, self.endpoints)
        return found if found and self.settled else ()

    @property
    def settled(self) -> bool:
        """True where the last change is at least 60 seconds older than the bundle, or it is not known."""
        return is_settled(self.last_change, self.cluster.identity.created_at, 0)

    @cached_property
    def unwritten(self) -> bool:
        """True where a controller should have written endpoints, and wrote none.

        Even a Service without pods gets an (empty) Endpoints and EndpointSlice, so none at all is telling; so is
        an empty one while pods are ready. Without a selector, Endpoints are mirrored from Kubernetes 1.19 on.
        """
        cluster, service = self.cluster, self.service
        from_slices = cluster.endpoints_input is Input.ENDPOINT_SLICES
        if service.spec.type == "ExternalName" or not cluster.has(cluster.endpoints_input):
            return False
        if not service.spec.selector:
            return from_slices and not self.slices and self._to_be_mirrored
        if not (self.slices if from_slices else self.endpoints):
            return True
        lacking = any(d.expected and d.expected.ready for d in self.differences)
        return lacking and not self.backends

    @property
    def _to_be_mirrored(self) -> bool:
        item = self.endpoints
        minor = Minor.parse(self.cluster.kubernetes)
        return (
            item is not None
            and any(s.addresses for s in item.subsets or ())
            and item.labels.get(SKIP_MIRROR_LABEL) != "true"
            and LEADER_ANNOTATION not in item.annotations
            and (minor is None or minor >= Minor(1, 19))
        )

    @property
    def proxied(self) -> bool:
        """True when kube-proxy should serve it (`ShouldSkipService`, labels of other proxies)."""
        return is_proxied(self.service)

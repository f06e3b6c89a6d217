"""Services that share their pods, and ports that lead to one target: one cause there is one finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from analyzer.expect.target_port import PortResolution, resolve_in_pods
from analyzer.language import _, plural
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod, ServicePort
from analyzer.model.source import ObjectRef
from analyzer.phrases import listed
from analyzer.snapshot import ClusterView, ServiceView


@lru_cache(maxsize=1)
def service_groups(cluster: ClusterView) -> tuple[ServiceGroup, ...]:
    """Return the Services asked about that select pods, together where they select the same ones."""
    groups: dict[tuple[frozenset[ObjectRef], bool], list[ServiceView]] = defaultdict(list)
    for view in cluster.asked_views:
        if view.selected_pods and view.service.spec.type != "ExternalName":
            pods = frozenset(p.ref for p in view.selected_pods)
            published = view.service.spec.publish_not_ready_addresses is True
            groups[pods, published].append(view)
    return tuple(ServiceGroup(tuple(views)) for views in groups.values())


def target_ports(cluster: ClusterView) -> Iterator[TargetPort]:
    """Yield what the Services asked about call for in their pods, together where several call for the same."""
    for group in service_groups(cluster):
        yield from group.target_ports


@dataclass(frozen=True, eq=False)
class ServiceGroup:
    """Services that select the same pods: what is wrong with the pods is one finding for all of them."""

    views: tuple[ServiceView, ...]
    """At least one, sorted by name."""

    @property
    def service(self) -> ServiceKey | None:
        """The Service, where there is only one."""
        return self.views[0].key if len(self.views) == 1 else None

    @property
    def affects(self) -> frozenset[ServiceKey]:
        """The Services, where there are several."""
        return frozenset(v.key for v in self.views) if len(self.views) > 1 else frozenset()

    @property
    def names(self) -> str:
        """`shop/web`, or `shop/web, shop/web-lb and 2 more`."""
        return listed([str(v.key) for v in self.views])

    @cached_property
    def target_ports(self) -> tuple[TargetPort, ...]:
        """What the Services call for in the pods, together where several call for the same."""
        uses: dict[tuple[int | str, str], list[PortUse]] = defaultdict(list)
        for view in self.views:
            for index, port in enumerate(view.service.ports):
                key = (port.effective_target_port, port.protocol)
                uses[key].append(PortUse(view, index))
        return tuple(TargetPort(found) for found in map(tuple, uses.values()))


@dataclass(frozen=True, eq=False)
class PortUse:
    """One port of one Service."""

    view: ServiceView
    index: int
    """Position in `spec.ports`."""

    @property
    def port(self) -> ServicePort:
        """The port."""
        return self.view.service.ports[self.index]


@dataclass(frozen=True, eq=False)
class TargetPort:
    """A target port and protocol that ports of one or several Services call for in the same pods."""

    uses: tuple[PortUse, ...]
    """At least one."""

    @property
    def first(self) -> PortUse:
        """The use that a finding shows and corrects."""
        return self.uses[0]

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods in which it is looked up: those that are being deleted only where there are no others."""
        view = self.first.view
        return view.current_pods or view.selected_pods

    @cached_property
    def pods_of_nodes(self) -> tuple[Pod, ...]:
        """Those of them that use the network of their node."""
        return tuple([p for p in self.pods if p.host_network])

    @cached_property
    def resolutions(self) -> tuple[PortResolution, ...]:
        """What the target port means in each of them."""
        return tuple(resolve_in_pods(self.first.port, self.pods))

    @property
    def service(self) -> ServiceKey | None:
        """The Service, where there is only one."""
        keys = {u.view.key for u in self.uses}
        return self.first.view.key if len(keys) == 1 else None

    @property
    def affects(self) -> frozenset[ServiceKey]:
        """The Services, where there are several."""
        keys = frozenset(u.view.key for u in self.uses)
        return keys if len(keys) > 1 else frozenset()

    @property
    def label(self) -> str | None:
        """Name or number of the Service port, where there is only one."""
        return self.first.port.label if len(self.uses) == 1 else None

    @property
    def partial(self) -> bool:
        """True where several Services are concerned, one of which has other ports as well."""
        return self.label is None and any(len(u.view.service.ports) > 1 for u in self.uses)

    @property
    def names(self) -> str:
        """`port http of shop/web`, or `ports http of shop/web and https of shop/web-lb`."""
        told = listed(
            [_("{label} of {view}", label=u.port.label, view=u.view.key) for u in self.uses]
        )
        return plural("port {told}", "ports {told}", len(self.uses), told=told)

    def unseen_nodes(self, cluster: ClusterView) -> tuple[str, ...]:
        """Return the nodes in whose network such pods are, and whose sockets are not in the bundle."""
        names = sorted({p.spec.node_name for p in self.pods_of_nodes if p.spec.node_name})
        return tuple(
            n for n in names if n not in cluster.nodes or not cluster.nodes[n].has(Input.SOCKETS)
        )

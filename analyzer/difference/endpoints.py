"""Published endpoints that came, went or changed, a rollout told from a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analyzer.difference.change import Blind, EndpointChange, Published, PublishedPair
from analyzer.difference.identity import without_generated
from analyzer.difference.side import Side, Sides, tells_of
from analyzer.language import _
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Endpoint, ServiceKey
from analyzer.snapshot import ServiceView

READY = "ready"


@dataclass(frozen=True, slots=True)
class EndpointComparison:
    """How endpoints differ, and which took whose place."""

    changes: tuple[EndpointChange, ...]
    successors: Mapping[ServiceKey, Mapping[Endpoint, Endpoint]]
    """By Service and endpoint of a pod that is gone: that of the pod which took its place."""


def compare_endpoints(sides: Sides) -> EndpointComparison:
    """Compare what is published for the Services that both sides have."""
    old, new = ({v.key: v for v in s.cluster.asked_views} for s in (sides.old, sides.new))
    found: list[EndpointChange] = []
    successors: dict[ServiceKey, Mapping[Endpoint, Endpoint]] = {}
    for key in sorted(old.keys() & new.keys()):
        if _tells(sides.old, key) and _tells(sides.new, key):
            change = _compare(key, published(old[key]), published(new[key]))
            successors[key] = dict(_successors(change.replaced))
            if change.added or change.removed or change.changed or change.replaced:
                found.append(change)
    return EndpointComparison(tuple(found), successors)


def blind_endpoints(sides: Sides) -> Iterator[Blind]:
    """Yield that not all endpoints are known, where it is so."""
    old, new = (side.cluster.endpoints_input for side in (sides.old, sides.new))
    lacking = sides.lacking(_("endpoints"), old) or sides.lacking(_("endpoints"), new)
    if lacking is not None:
        yield lacking


def published(view: ServiceView) -> tuple[Published, ...]:
    """Return what is published for a Service, an item for each address."""
    by_address: dict[str, list[Backend]] = defaultdict(list)
    for backend in view.backends:
        by_address[backend.endpoint.address].append(backend)
    return tuple(_published(address, found) for address, found in sorted(by_address.items()))


def _tells(side: Side, key: ServiceKey) -> bool:
    cluster = side.cluster
    return tells_of(cluster.availability(cluster.endpoints_input), key.namespace)


def _published(address: str, backends: Sequence[Backend]) -> Published:
    first = backends[0]
    ports = {f"{b.port_name} {b.endpoint.port}/{b.protocol.value}".strip() for b in backends}
    return Published(
        address=address,
        ports=tuple(sorted(ports)),
        state=_state(first),
        node=first.node,
        pod=first.pod,
        workload=without_generated(first.pod),
    )


def _state(backend: Backend) -> str:
    if backend.terminating:
        return "terminating, serving" if backend.serving else "terminating"
    return READY if backend.ready else "not ready"


def _compare(key: ServiceKey, old: Sequence[Published], new: Sequence[Published]) -> EndpointChange:
    was, is_ = ({p.address: p for p in side} for side in (old, new))
    changed = [PublishedPair(was[a], is_[a]) for a in was if a in is_ and _differ(was[a], is_[a])]
    gone = [p for p in old if p.address not in is_]
    come = [p for p in new if p.address not in was]
    replaced = tuple(_replaced(gone, come))
    left = {pair.old.address for pair in replaced}
    arrived = {pair.new.address for pair in replaced}
    return EndpointChange(
        service=key,
        old_ready=sum(p.state == READY for p in old),
        new_ready=sum(p.state == READY for p in new),
        added=tuple(p for p in come if p.address not in arrived),
        removed=tuple(p for p in gone if p.address not in left),
        changed=tuple(changed),
        replaced=replaced,
    )


def _differ(old: Published, new: Published) -> bool:
    return (old.ports, old.state, old.workload, old.node) != (
        new.ports,
        new.state,
        new.workload,
        new.node,
    )


def _replaced(gone: Iterable[Published], come: Iterable[Published]) -> Iterator[PublishedPair]:
    """Pair pods of one workload on the same ports in the same state; those of the same node first."""
    rest = [p for p in come if p.workload]
    for same_node in (True, False):
        waiting = []
        for old in gone:
            new = next((p for p in rest if _succeeds(old, p, same_node=same_node)), None)
            if new is None:
                waiting.append(old)
            else:
                rest.remove(new)
                yield PublishedPair(old, new)
        gone = waiting


def _succeeds(old: Published, new: Published, *, same_node: bool) -> bool:
    alike = (old.workload, old.ports, old.state) == (new.workload, new.ports, new.state)
    family = (":" in old.address) == (":" in new.address)
    return alike and family and (not same_node or old.node == new.node)


def _successors(pairs: Iterable[PublishedPair]) -> Iterator[tuple[Endpoint, Endpoint]]:
    for pair in pairs:
        for port in pair.old.ports:
            number = int(port.rpartition(" ")[2].partition("/")[0])
            yield Endpoint(pair.old.address, number), Endpoint(pair.new.address, number)

"""Which endpoints kube-proxy uses on a node, for which traffic: `CategorizeEndpoints` and its forerunners.

Sources: `pkg/proxy/topology.go` (1.24 to 1.36); `FilterEndpoints` of 1.22 and 1.23; `pkg/proxy/iptables/proxier.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec import Struct

from analyzer.expect.behaviour import Behaviour, InternalPolicy, ZoneHints
from analyzer.model.backend import Backend
from analyzer.model.forwarding import Action

Backends = tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class TrafficPolicy:
    """What a Service says about the choice of endpoints."""

    internal_local: bool
    external_local: bool
    hints_annotated: bool
    """The annotation topology-mode or topology-aware-hints asks for zone hints."""


CLUSTER_POLICY = TrafficPolicy(internal_local=False, external_local=False, hints_annotated=False)
"""All endpoints for everybody."""


@dataclass(frozen=True, slots=True)
class Locality:
    """Where kube-proxy runs."""

    node: str
    zone: str
    """Zone of the node; empty where it has none."""


class Outcome(Struct, frozen=True):
    """What happens to one sort of traffic."""

    action: Action
    backends: Backends = ()


class Decision(Struct, frozen=True):
    """What happens to each sort of traffic of one Service port on one node."""

    internal: Outcome
    """Traffic to the cluster IP."""

    cluster: Outcome
    """Traffic to external addresses that no Local policy restricts."""

    external: Outcome
    """Traffic to external addresses from outside; equal to `cluster` without a Local policy."""

    split: bool
    """True where pods and the node itself get `cluster` at external addresses, and others `external`."""


def decide(
    backends: Backends, policy: TrafficPolicy, where: Locality, behaviour: Behaviour
) -> Decision:
    """Return what kube-proxy of this behaviour decides."""
    match behaviour.internal_policy:
        case InternalPolicy.INTERNAL_TRAFFIC:
            return _categorized(backends, policy, where, behaviour)
        case InternalPolicy.ALL_TRAFFIC if policy.internal_local and not policy.external_local:
            local = _forward_or(Action.REJECT, _local(_ready(backends), where))
            return Decision(local, local, local, split=False)
        case _:
            return _external_policy_only(backends, policy, where, behaviour)


def _categorized(
    backends: Backends, policy: TrafficPolicy, where: Locality, behaviour: Behaviour
) -> Decision:
    ready = _ready(backends)
    last_resort = _last_resort(backends, behaviour)
    if not ready and not last_resort:
        return _nothing()
    anywhere = Outcome(Action.FORWARD, _hinted(ready, policy, where, behaviour) or last_resort)
    here = _forward_or(Action.DROP, _local(ready, where) or _local(last_resort, where))
    return Decision(
        internal=here if policy.internal_local else anywhere,
        cluster=anywhere,
        external=here if policy.external_local else anywhere,
        split=policy.external_local,
    )


def _external_policy_only(
    backends: Backends, policy: TrafficPolicy, where: Locality, behaviour: Behaviour
) -> Decision:
    ready = _ready(backends)
    last_resort = _last_resort(backends, behaviour) if policy.external_local else ()
    usable = ready if policy.external_local else _hinted(ready, policy, where, behaviour)
    if not usable and not last_resort:
        return _nothing()
    anywhere = _forward_or(Action.DROP, usable)
    local = _local(ready, where) or _local(last_resort, where)
    here = _forward_or(Action.DROP, local) if policy.external_local else anywhere
    return Decision(anywhere, anywhere, here, split=policy.external_local)


def _ready(backends: Backends) -> Backends:
    return tuple(b for b in backends if b.ready)


def _local(backends: Backends, where: Locality) -> Backends:
    return tuple(b for b in backends if b.node == where.node)


def _last_resort(backends: Backends, behaviour: Behaviour) -> Backends:
    if not behaviour.terminating:
        return ()
    return tuple(b for b in backends if not b.ready and b.serving and b.terminating)


def _hinted(
    ready: Backends, policy: TrafficPolicy, where: Locality, behaviour: Behaviour
) -> Backends:
    """Return the ready endpoints that are meant for the node or its zone, else all of them."""
    if behaviour.node_hints:
        chosen = _meant_for(where.node, ready, lambda b: b.node_hints)
        if chosen:
            return chosen
    by_zone = behaviour.zone_hints is ZoneHints.ALWAYS or (
        behaviour.zone_hints is ZoneHints.ANNOTATED and policy.hints_annotated
    )
    if by_zone and where.zone:
        chosen = _meant_for(where.zone, ready, lambda b: b.zone_hints)
        if chosen:
            return chosen
    return ready


def _meant_for(name: str, ready: Backends, hints: Callable[[Backend], Iterable[str]]) -> Backends:
    if not all(hints(b) for b in ready):
        return ()
    return tuple(b for b in ready if name in hints(b))


def _forward_or(otherwise: Action, backends: Backends) -> Outcome:
    return Outcome(Action.FORWARD, backends) if backends else Outcome(otherwise)


def _nothing() -> Decision:
    rejected = Outcome(Action.REJECT)
    return Decision(rejected, rejected, rejected, split=False)

"""What versions of kube-proxy decide differently about the same Services and endpoints.

Sources: `pkg/proxy/topology.go`, `pkg/proxy/iptables/proxier.go` and `pkg/features` of 1.14 to 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import product

from analyzer.model.kube_proxy import KubeProxy, Minor


class InternalPolicy(Enum):
    """What `internalTrafficPolicy: Local` restricts to the endpoints of the node."""

    NOTHING = "nothing"
    """Up to 1.20, and 1.21 without ServiceInternalTrafficPolicy."""

    ALL_TRAFFIC = "all traffic"
    """1.22 and 1.23: external traffic too, unless `externalTrafficPolicy` is Local, which then rules alone."""

    INTERNAL_TRAFFIC = "internal traffic"
    """1.24 and later."""


class ZoneHints(Enum):
    """When endpoints are chosen by their zone hints."""

    NEVER = "never"
    """Up to 1.20, and to 1.23 without TopologyAwareHints."""

    ANNOTATED = "annotated"
    """1.24 to 1.30: for a Service with the annotation topology-mode or topology-aware-hints."""

    ALWAYS = "always"
    """1.31 and later: whenever all endpoints have hints."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The decisions of one version of kube-proxy with its feature gates."""

    internal_policy: InternalPolicy
    zone_hints: ZoneHints
    node_hints: bool
    """Endpoints are chosen by their node hints (1.34 and later)."""

    terminating: bool
    """Terminating endpoints that still serve are used where no ready one is left (1.26 and later)."""

    external_ip_policy: bool
    """`externalTrafficPolicy` holds for external IPs, too (1.19 and later; 1.18 with a feature gate)."""

    node_is_internal: bool
    """The node's own connections to external addresses reach all endpoints (1.15 and later)."""

    load_balancer_ip_mode: bool
    """A load-balancer IP with `ipMode: Proxy` is not served (1.30 and later)."""


@dataclass(frozen=True, slots=True)
class Possibility:
    """A behaviour that the signs of the version leave open."""

    behaviour: Behaviour
    since: Minor
    """The first version that behaves so; 1.14 also stands for those before."""


_CHANGES = (14, 15, 18, 19, 21, 22, 24, 26, 29, 30, 31, 33, 34)
"""Minors of 1.x from which on something above changes; the first stands for all before it."""


def possibilities(proxy: KubeProxy) -> tuple[Possibility, ...]:
    """Return the behaviours that the proxy may have, the newest version's first; one where it is known."""
    gates = dict(proxy.options.feature_gates)
    read = proxy.options.source is not None
    found: dict[Behaviour, Minor] = {}
    for minor in _candidates(proxy):
        for behaviour in _Gates(minor, gates, read).behaviours():
            found[behaviour] = Minor(1, minor)
    return tuple(Possibility(behaviour, since) for behaviour, since in found.items())


def _candidates(proxy: KubeProxy) -> tuple[int, ...]:
    exact = Minor.parse(proxy.version.exact) if proxy.version.exact else None
    earliest = (exact or proxy.version.earliest or Minor(1, 0)).minor
    latest = (exact or proxy.version.latest or Minor(1, 10_000)).minor
    if latest < earliest:
        latest = 10_000
    first = max((m for m in _CHANGES if m <= earliest), default=_CHANGES[0])
    return tuple(m for m in reversed(_CHANGES) if first <= m <= max(latest, first))


@dataclass(frozen=True, slots=True)
class _Gates:
    """The feature gates of one version: set, by default, or unknown because no configuration was read."""

    minor: int
    configured: dict[str, bool]
    read: bool

    def behaviours(self) -> Iterator[Behaviour]:
        """Yield what the version does, with each unknown gate off and on."""
        for policy, zones, nodes, terminating, external, ip_mode in product(
            self._internal_policy(),
            self._zone_hints(),
            self._gate("PreferSameTrafficDistribution", 33, 34),
            self._gate("ProxyTerminatingEndpoints", 22, 26),
            self._gate("ExternalPolicyForExternalIP", 18, 19),
            self._gate("LoadBalancerIPMode", 29, 30),
        ):
            yield Behaviour(
                internal_policy=policy,
                zone_hints=zones,
                node_hints=nodes,
                terminating=terminating,
                external_ip_policy=external,
                node_is_internal=self.minor >= 15,  # noqa: PLR2004
                load_balancer_ip_mode=ip_mode,
            )

    def _internal_policy(self) -> tuple[InternalPolicy, ...]:
        honoured = InternalPolicy.ALL_TRAFFIC
        if self.minor >= 24:  # noqa: PLR2004
            honoured = InternalPolicy.INTERNAL_TRAFFIC
        return tuple(
            honoured if on else InternalPolicy.NOTHING
            for on in self._gate("ServiceInternalTrafficPolicy", 21, 22)
        )

    def _zone_hints(self) -> tuple[ZoneHints, ...]:
        if not any(self._gate("TopologyAwareHints", 21, 24)):
            return (ZoneHints.NEVER,)
        always = self._gate("ServiceTrafficDistribution", 30, 31)
        kinds = tuple(ZoneHints.ALWAYS if on else ZoneHints.ANNOTATED for on in always)
        never = () if all(self._gate("TopologyAwareHints", 21, 24)) else (ZoneHints.NEVER,)
        return (*never, *kinds)

    def _gate(self, name: str, alpha: int, beta: int) -> tuple[bool, ...]:
        """Return the values that the gate may have, the default first; it exists from `alpha`, is on from `beta`."""
        if self.minor < alpha:
            return (False,)
        if name in self.configured:
            return (self.configured[name],)
        if self.minor >= beta:
            return (True,)
        return (False,) if self.read else (False, True)

"""The check `rules-endpoint-stale`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.comparison import Pair
from analyzer.language import _
from analyzer.model.chain_names import service_suffix, service_suffix_of
from analyzer.model.forwarding import Action, ServiceKey, Target
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "kube-proxy-backend-split",
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "rules-destination-wrong",
        "external-ip-conflict",
        "node-port-conflict",
        "cluster-ip-duplicate",
    ),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/",
        "https://github.com/kubernetes/kubernetes/issues/67875",
    ),
)
def rules_endpoint_stale(node: NodeView) -> Iterator[Problem]:
    """
    Traffic for a Service goes to an address that is none of its endpoints.

    ## Why it matters
    Connections that the rules send there fail, or reach a stranger that got the address since.

    ## How to put it right
    Restart kube-proxy on the node; if the address comes back, kube-proxy has stopped following the API:
    see kube-proxy-cannot-reach-api.

    ## Where it is silent
    For terminating endpoints that still serve, and for chains that nothing leads to. It only advises when
    the Service changed within a minute before the dump.
    """
    for family in Family:
        comparison = node.comparison(family)
        if comparison is None:
            continue
        for settled in (True, False):
            parts = [
                _part(key, pair, stale)
                for pair, key, stale in _stale(comparison.differing)
                if node.settled(key) is settled
            ]
            if parts:
                yield gathered(
                    _("{node} sends traffic to addresses that are not endpoints", node=node.name)
                    + ("" if settled else _(" (changed just before the dump)")),
                    parts,
                    remedy=_("Restart kube-proxy on {node}: ", node=node.name)
                    + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                    severity=None if settled else Severity.INFO,
                )


def _stale(pairs: tuple[Pair, ...]) -> Iterator[tuple[Pair, ServiceKey, tuple[Target, ...]]]:
    seen: set[object] = set()
    for pair in pairs:
        name = pair.expected.service_port
        if name is None or pair.observed.action is not Action.FORWARD:
            continue
        allowed = pair.expected.allowed_endpoints
        stale = tuple(
            t
            for t in pair.observed.targets
            if t.endpoint is not None
            and t.endpoint not in allowed
            and (name, t.endpoint) not in seen
        )
        if stale:
            seen.update((name, t.endpoint) for t in stale)
            yield pair, name.service, stale


def _part(key: ServiceKey, pair: Pair, stale: tuple[Target, ...]) -> Part:
    named = listed(tuple(str(t.endpoint) for t in stale))
    first = stale[0]
    return Part(
        service=key,
        text=_("{service_port} to {named}", service_port=pair.expected.service_port, named=named),
        evidence=(
            *_detour(pair),
            Evidence(
                first.destination or first.source,
                _("{endpoint} is no endpoint of {key}", endpoint=first.endpoint, key=key),
            ),
            *(
                Evidence(t.source, _("{endpoint} is one", endpoint=t.endpoint))
                for t in pair.expected.targets[:1]
            ),
        ),
    )


def _detour(pair: Pair) -> Iterator[Evidence]:
    """Show the rule that leads into the chain of another Service port, if it does."""
    suffix, name = service_suffix_of(pair.observed.chain), pair.expected.service_port
    protocol = pair.expected.frontend.protocol
    if suffix and name:
        own = {service_suffix(name, protocol, colon=colon) for colon in (False, True)}
        if suffix not in own:
            yield Evidence(
                pair.observed.source,
                _("leads to {chain}, not of {name}", chain=pair.observed.chain, name=name),
            )

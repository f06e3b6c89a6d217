"""The check `rules-endpoint-missing`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.comparison import Pair
from analyzer.language import _
from analyzer.model.chain_names import ENDPOINT_PREFIX, endpoint_chain
from analyzer.model.forwarding import Endpoint, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family, Rule, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
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
        "rules-chain-empty",
        "rules-jump-dangling",
        "rules-endpoint-stale",
        "rules-service-missing",
        "external-ip-conflict",
        "node-port-conflict",
        "cluster-ip-duplicate",
    ),
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/",),
)
def rules_endpoint_missing(node: NodeView) -> Iterator[Problem]:
    """
    An endpoint that should get connections on this node gets none.

    ## Why it matters
    The other endpoints carry its load; when it is the only one, connections fail.

    ## How to put it right
    Restart kube-proxy on the node. If the endpoint is still missing, kube-proxy does not follow the API.

    ## Where it is silent
    For endpoints that topology hints or a Local policy leave to other nodes, and in userspace mode, whose
    rules do not name endpoints. It only advises when the Service changed within a minute before the dump.
    """
    for family in Family:
        comparison, ruleset = node.comparison(family), node.ruleset(family)
        if comparison is None or ruleset is None:
            continue
        for settled in (True, False):
            parts = [
                _part(ruleset, key, pair, missing)
                for pair, key, missing in _missing(comparison.differing)
                if node.settled(key) is settled
            ]
            if parts:
                yield gathered(
                    _("{node} sends nothing to endpoints that it should use", node=node.name)
                    + ("" if settled else _(" (changed just before the dump)")),
                    parts,
                    remedy=_("Restart kube-proxy on {node}: ", node=node.name)
                    + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                    severity=None if settled else Severity.INFO,
                )


def _missing(
    pairs: tuple[Pair, ...],
) -> Iterator[tuple[Pair, ServiceKey, tuple[Endpoint, ...]]]:
    seen: set[tuple[str, Endpoint]] = set()
    for pair in pairs:
        name = pair.expected.service_port
        if name is None or not pair.tells_endpoints or _other_allowed(pair):
            continue
        served = pair.observed.endpoints
        missing = sorted(
            e for e in pair.expected.required_endpoints - served if (str(name), e) not in seen
        )
        if missing:
            seen.update((str(name), e) for e in missing)
            yield pair, name.service, tuple(missing)


def _other_allowed(pair: Pair) -> bool:
    """Tell whether what is served is exactly one of the other treatments that are right."""
    served = pair.observed.endpoints
    return any(a.endpoints == served for a in pair.expected.alternatives)


def _part(ruleset: Ruleset, key: ServiceKey, pair: Pair, missing: tuple[Endpoint, ...]) -> Part:
    sources = {t.endpoint: t.source for t in pair.expected.targets}
    shown: Ref = sources.get(missing[0], pair.expected.source)
    named = listed(tuple(map(str, missing)))
    return Part(
        service=key,
        text=_(
            "{service_port} lacks {named}", service_port=pair.expected.service_port, named=named
        ),
        evidence=(
            Evidence(shown, _("{missing} is an endpoint of {key}", missing=missing[0], key=key)),
            _lacking(ruleset, pair, missing[0]),
        ),
    )


def _lacking(ruleset: Ruleset, pair: Pair, endpoint: Endpoint) -> Evidence:
    """Show the rule that leaves nothing for the endpoint, else the chain that does not lead to it."""
    entry, name = pair.observed, pair.expected.service_port
    protocol = entry.frontend.protocol
    chains = (
        {endpoint_chain(name, protocol, endpoint, colon=c) for c in (False, True)}
        if name
        else set()
    )
    taking: Rule | None = None
    for rule in ruleset.rules("nat", entry.chain):
        target = rule.target or ""
        if target in chains and taking is not None:
            return Evidence(
                ruleset.ref(taking),
                _("takes all that is left: nothing for {endpoint}", endpoint=endpoint),
            )
        if target.startswith(ENDPOINT_PREFIX) and not (
            rule.has("--probability") or rule.has("--rcheck")
        ):
            taking = rule
    return Evidence(
        entry.chain_source or entry.source,
        _(
            "{chain} gives nothing to {endpoint}",
            chain=entry.chain or _("this rule"),
            endpoint=endpoint,
        ),
    )

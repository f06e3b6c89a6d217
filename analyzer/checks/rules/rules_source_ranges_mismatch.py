"""The check `rules-source-ranges-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.comparison import Pair
from analyzer.language import _, later
from analyzer.model.chain_names import service_suffix_of
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "kube-proxy-backend-split",
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "rules-chain-name-mismatch",
        "rules-chain-empty",
        "rules-jump-dangling",
    ),
    references=(
        "https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/",
    ),
)
def rules_source_ranges_mismatch(node: NodeView) -> Iterator[Problem]:
    """
    The rules admit other clients to a load-balancer IP than the Service's loadBalancerSourceRanges do.

    ## Why it matters
    Clients of a range that the rules lack are dropped and see a time-out; clients of a range that only the
    rules have get in although nobody allows them any more.

    ## How to put it right
    Restart kube-proxy on the node: it writes the KUBE-FW chain of the Service anew.

    ## Where it is silent
    About ranges of the other IP family, and about the load-balancer IP itself, which kube-proxy admits where
    the node has it as an address of its own. It only advises when the Service changed within a minute
    before the dump. Whether the Service's own ranges are too narrow is for source-ranges-exclude to say.
    """
    for family in Family:
        comparison, ruleset = node.comparison(family), node.ruleset(family)
        if comparison is None or ruleset is None:
            continue
        differing = [p for p in comparison.differing if p.shut_out or p.let_in]
        for settled in (True, False):
            parts = [_part(node, ruleset, p) for p in differing if _settled(node, p) is settled]
            if parts:
                yield gathered(
                    _("{node} admits other clients than Services ask for", node=node.name)
                    + ("" if settled else _(" (changed just before the dump)")),
                    parts,
                    remedy=_("Restart kube-proxy on {node}: ", node=node.name)
                    + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                    severity=None if settled else Severity.INFO,
                )


def _settled(node: NodeView, pair: Pair) -> bool:
    name = pair.expected.service_port
    return name is None or node.settled(name.service)


def _part(node: NodeView, ruleset: Ruleset, pair: Pair) -> Part:
    name = pair.expected.service_port
    told = "; ".join(
        _(told, ranges=listed(ranges))
        for told, ranges in (
            (later("leaves out {ranges}"), pair.shut_out),
            (later("adds {ranges}"), pair.let_in),
        )
        if ranges
    )
    service = node.cluster.services.get(name.service) if name else None
    asked = pair.expected.source
    if service is not None:
        asked = service.ref.at("spec", "loadBalancerSourceRanges")
    return Part(
        service=name.service if name else None,
        text=f"{name}, {pair.expected.frontend}: {told}",
        evidence=(
            Evidence(asked, _("the clients that the Service admits")),
            _written(ruleset, pair, told),
        ),
    )


def _written(ruleset: Ruleset, pair: Pair, told: str) -> Evidence:
    """Show the KUBE-FW chain of the Service, else the rule that serves the address without one."""
    name = f"KUBE-FW-{service_suffix_of(pair.observed.chain)}"
    chain = ruleset.chain("nat", name)
    if chain is None or not chain.line:
        return Evidence(pair.observed.source, told)
    return Evidence(ruleset.ref(chain), told)

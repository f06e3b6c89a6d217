"""The check `rules-service-stale`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Part, Problem, Severity, Station, check, gathered
from analyzer.model.forwarding import Action
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
    ),
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/",),
)
def rules_service_stale(node: NodeView) -> Iterator[Problem]:
    """
    The node serves an address or port that no Service has.

    ## Why it matters
    The rules are older than the Services: what else has changed since is missing too. The address may be
    given to another Service tomorrow, whose clients then reach the wrong pods.

    ## How to put it right
    Restart kube-proxy on the node. If the rule comes back, kube-proxy has stopped following the API.
    """
    for family in Family:
        comparison = node.comparison(family)
        if comparison is None:
            continue
        stale = [e for e in comparison.surplus if e.action is Action.FORWARD]
        if stale:
            yield gathered(
                f"{node.name} serves {len(stale)} address{'es' if len(stale) > 1 else ''} that no Service has",
                [
                    Part(
                        service=e.service_port.service if e.service_port else None,
                        text=f"{e.frontend}" + (f" ({e.service_port})" if e.service_port else ""),
                        evidence=(Evidence(e.source, "served, but no Service has it"),),
                    )
                    for e in stale
                ],
                remedy=f"Restart kube-proxy on {node.name}.",
            )

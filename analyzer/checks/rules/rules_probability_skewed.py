"""The check `rules-probability-skewed`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Part, Problem, Severity, Station, check, gathered
from analyzer.model.forwarding import Entry, Target
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.snapshot import NodeView

_TOLERANCE = 1.1e-5
"""kube-proxy writes five digits up to 1.16 and ten from 1.17; the kernel rounds to 2^-31 (facts A.5)."""


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET,),
    consequence_of=(
        "rules-endpoint-missing",
        "rules-chain-empty",
        "rules-jump-dangling",
        "kube-proxy-sync-failing",
    ),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-iptables",
    ),
)
def rules_probability_skewed(node: NodeView) -> Iterator[Problem]:
    """
    The rules of a Service do not spread connections evenly over its endpoints.

    ## Why it matters
    Of n endpoints, rule i must take 1/(n-i) of what reaches it, and the last one the rest. Another
    probability overloads some endpoints and starves others.

    ## How to put it right
    Restart kube-proxy on the node. A chain that was edited by hand stays as it is until its Service changes.

    ## Where it is silent
    For the rounding of kube-proxy's versions (0.33333, 0.3333333333) and of the kernel.
    """
    parts: list[Part] = []
    seen: set[str] = set()
    for family in Family:
        table = node.observed(family)
        for entry in table.entries if table else ():
            skewed = _skewed(entry) if entry.chain not in seen else None
            seen.add(entry.chain)
            if skewed is not None:
                parts.append(_part(entry, *skewed))
    if parts:
        yield gathered(
            f"{node.name} spreads connections unevenly",
            parts,
            remedy=f"Restart kube-proxy on {node.name}.",
        )


def _skewed(entry: Entry) -> tuple[Target, float] | None:
    """Return the first target whose rule takes another share than it should, with the right one."""
    count = len(entry.targets)
    for position, target in enumerate(entry.targets):
        right = 1 / (count - position)
        written = 1.0 if target.written_share is None else target.written_share
        if abs(written - right) > _TOLERANCE:
            return target, right
    return None


def _part(entry: Entry, target: Target, right: float) -> Part:
    name = entry.service_port
    written = "no probability" if target.written_share is None else f"{target.written_share:.5f}"
    told = f"{name or entry.chain} sends to {target.endpoint or target.chain} with {written}"
    return Part(
        service=name.service if name else None,
        text=f"{told} instead of {right:.5f}",
        evidence=(Evidence(target.source, f"{written} where {right:.5f} belongs"),),
    )

"""The check `rules-probability-skewed`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.forwarding import Entry, Target
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView

_TOLERANCE = 1.1e-5
"""kube-proxy writes five digits up to 1.16 and ten from 1.17; the kernel rounds to 2^-31 (facts A.5)."""

_UNEVEN = 0.1
"""How far, relatively, the shares of a chain may drift apart by rounding to five digits; a rule too many does more."""


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET,),
    consequence_of=(
        "rules-endpoint-missing",
        "rules-chain-empty",
        "rules-jump-dangling",
        "rules-endpoint-stale",
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
            part = _skewed(entry) if entry.chain not in seen else None
            seen.add(entry.chain)
            if part is not None:
                parts.append(part)
    if parts:
        yield gathered(
            _("{node} spreads connections unevenly", node=node.name),
            parts,
            remedy=_("Restart kube-proxy on {node}: ", node=node.name)
            + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        )


def _skewed(entry: Entry) -> Part | None:
    """Return what is wrong with the first rule that takes another share than it should."""
    count = len(entry.targets)
    for position, target in enumerate(entry.targets):
        right = 1 / (count - position)
        written = 1.0 if target.written_share is None else target.written_share
        if abs(written - right) > _TOLERANCE:
            told = (
                _("no probability")
                if target.written_share is None
                else _("probability {written:.5f}", written=written)
            )
            return _part(entry, target, told, f"{right:.5f}" if right < 1 else "none")
    if all(t.share for t in entry.targets):
        for target in entry.targets:
            if abs(target.share * count - 1) > _UNEVEN:
                told = _("several rules, which take {share:.5f} of all", share=target.share)
                return _part(entry, target, told, f"{1 / count:.5f}")
    return None


def _part(entry: Entry, target: Target, written: str, right: str) -> Part:
    name = entry.service_port
    told = _(
        "{chain} sends to {endpoint} with {written}",
        chain=name or entry.chain,
        endpoint=target.endpoint or target.chain,
        written=written,
    )
    return Part(
        service=name.service if name else None,
        text=_("{told} instead of {right}", told=told, right=right),
        evidence=(
            Evidence(
                target.source, _("{written} where {right} belongs", written=written, right=right)
            ),
        ),
    )

"""The check `rules-hook-missing`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.ruleset import Family, Ruleset
from analyzer.snapshot import NodeView


@dataclass(frozen=True, slots=True)
class _Hook:
    """A jump that kube-proxy makes from a built-in chain, and what fails without it."""

    chain: str
    target: str
    lost: str
    position: str
    comment: str


_PORTALS = "kubernetes service portals"
_HOOKS = (
    _Hook(
        "PREROUTING",
        "KUBE-SERVICES",
        "connections from pods, and from outside, reach no Service",
        "-I",
        _PORTALS,
    ),
    _Hook(
        "OUTPUT",
        "KUBE-SERVICES",
        "connections from the node itself reach no Service",
        "-I",
        _PORTALS,
    ),
    _Hook(
        "POSTROUTING",
        "KUBE-POSTROUTING",
        "connections that should be masqueraded keep their source address and lose their answers",
        "-I",
        "kubernetes postrouting rules",
    ),
)


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET,),
    consequence_of=("rules-absent",),
    references=("https://github.com/kubernetes/kubernetes/issues/129128",),
)
def rules_hook_missing(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy's chains are there, but a built-in chain does not jump to them.

    ## Why it matters
    A chain that nothing jumps to has no effect: PREROUTING leads pods and outside clients to the
    Services, OUTPUT the node itself, POSTROUTING to masquerading.

    ## How to put it right
    Restart kube-proxy: it makes the jumps anew. Find out what took them away: a firewalld reload,
    `iptables -F PREROUTING`, a script that restores a saved ruleset. From 1.27 on kube-proxy does not
    notice a lost jump by itself for up to an hour.
    """
    if node.kube_proxy.mode is not ProxyMode.IPTABLES:
        return
    for family in Family:
        ruleset = node.ruleset(family)
        if ruleset is None or not ruleset.rules("nat", "KUBE-SERVICES"):
            continue
        for hook in _HOOKS:
            if not _reached(ruleset, hook):
                yield _problem(node, ruleset, hook)


def _reached(ruleset: Ruleset, hook: _Hook) -> bool:
    """Tell whether the target is reached from the built-in chain, through other chains if need be."""
    if ruleset.chain("nat", hook.target) is None:
        return hook.target != "KUBE-SERVICES" and ruleset.chain("nat", "KUBE-POSTROUTING") is None
    seen: set[str] = set()
    waiting = [hook.chain]
    while waiting:
        chain = waiting.pop()
        if chain == hook.target:
            return True
        if chain not in seen:
            seen.add(chain)
            waiting.extend(r.target for r in ruleset.rules("nat", chain) if r.target)
    return False


def _problem(node: NodeView, ruleset: Ruleset, hook: _Hook) -> Problem:
    tool = "iptables" if ruleset.family is Family.IPV4 else "ip6tables"
    builtin = ruleset.chain("nat", hook.chain)
    target = ruleset.chain("nat", hook.target)
    shown = [Evidence(ruleset.ref(target), "the chain that nothing leads to")] if target else []
    table = ruleset.tables["nat"]
    return Problem(
        message=f"nat {hook.chain} on {node.name} does not jump to {hook.target}"
        f" ({ruleset.family.value}): {hook.lost}",
        evidence=(
            Evidence(
                ruleset.ref(builtin or table), f"{hook.chain}: no rule of it leads to {hook.target}"
            ),
            *shown,
        ),
        remedy=f"Restart kube-proxy on {node.name}. At once, by hand: {tool} -t nat {hook.position} {hook.chain} "
        f'-m comment --comment "{hook.comment}" -j {hook.target}',
    )

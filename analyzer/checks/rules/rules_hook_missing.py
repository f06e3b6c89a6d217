"""The check `rules-hook-missing`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analyzer.check import check
from analyzer.commands import restart_kube_proxy, shell
from analyzer.language import _, later
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import KubeProxy, Minor, ProxyMode
from analyzer.model.ruleset import Family, Match, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.chains import ChainGraph
from analyzer.observe.hooks import HookJump
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_ALWAYS = Minor(1, 2)


@dataclass(frozen=True, slots=True)
class _Hook:
    """A jump that kube-proxy makes from a built-in chain, and what fails without it."""

    table: str
    chain: str
    target: str
    lost: str
    comment: str
    since: Minor = _ALWAYS
    """First version from which on it is always there."""


_PORTALS = "kubernetes service portals"
_OUTSIDE = "kubernetes externally-visible service portals"
_NAT = (
    _Hook(
        "nat",
        "PREROUTING",
        "KUBE-SERVICES",
        later("pods and outside clients reach no Service"),
        _PORTALS,
    ),
    _Hook("nat", "OUTPUT", "KUBE-SERVICES", later("the node itself reaches no Service"), _PORTALS),
    _Hook(
        "nat",
        "POSTROUTING",
        "KUBE-POSTROUTING",
        later("what should be masqueraded keeps its source address and loses its answers"),
        "kubernetes postrouting rules",
    ),
)
_REFUSING = (
    _Hook("filter", "OUTPUT", "KUBE-SERVICES", later("the node itself"), _PORTALS),
    _Hook("filter", "FORWARD", "KUBE-SERVICES", later("pods"), _PORTALS, Minor(1, 14)),
    _Hook(
        "filter",
        "INPUT",
        "KUBE-EXTERNAL-SERVICES",
        later("clients of node ports"),
        _OUTSIDE,
        Minor(1, 14),
    ),
    _Hook(
        "filter",
        "FORWARD",
        "KUBE-EXTERNAL-SERVICES",
        later("outside clients"),
        _OUTSIDE,
        Minor(1, 20),
    ),
)


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET,),
    consequence_of=("rules-absent", "rules-jump-dangling"),
    references=("https://github.com/kubernetes/kubernetes/issues/129128",),
)
def rules_hook_missing(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy's chains are there, but a built-in chain does not jump to them.

    ## Why it matters
    A chain that nothing jumps to has no effect: PREROUTING leads pods and outside clients to the
    Services, OUTPUT the node itself, POSTROUTING to masquerading. A jump under a condition that kube-proxy
    does not make (an interface, a network) does so for some connections only.

    ## How to put it right
    Restart kube-proxy: it makes the jumps anew. Find out what took them away: a firewalld reload,
    `iptables -F PREROUTING`, a script that restores a saved ruleset. From 1.27 on kube-proxy does not
    notice a lost jump by itself for up to an hour.

    ## Where it is silent
    About the order of the jumps, about jumps by way of another program's chain, and about the filter chains
    that a version of kube-proxy does not have. Where only the refusal of Services without endpoints lacks
    its jump, it advises: their clients wait for a time-out instead of being told at once.
    """
    if node.kube_proxy.mode is not ProxyMode.IPTABLES:
        return
    lost: list[_Lost] = []
    silent: list[_Lost] = []
    for family in Family:
        ruleset, graph = node.ruleset(family), node.chain_graph(family)
        if ruleset is None or graph is None or not ruleset.rules("nat", "KUBE-SERVICES"):
            continue
        lost.extend(_lost(ruleset, graph, _NAT))
        silent.extend(_lost(ruleset, graph, _refusing(ruleset, node.kube_proxy)))
    if lost:
        yield _problem(node, lost)
    if silent:
        yield _advice(node, silent)


@dataclass(frozen=True, slots=True)
class _Lost:
    """A jump that is not there, or only for some connections."""

    hook: _Hook
    ruleset: Ruleset
    narrow: HookJump | None
    """The jump that asks for too much; None where there is none at all."""

    def __str__(self) -> str:
        """`nat PREROUTING to KUBE-SERVICES`."""
        family = "" if self.ruleset.family is Family.IPV4 else f" ({self.ruleset.family.value})"
        only = _(" without conditions") if self.narrow else ""
        return _(
            "{table} {chain} to {target}{only}{family}",
            table=self.hook.table,
            chain=self.hook.chain,
            target=self.hook.target,
            only=only,
            family=family,
        )

    @property
    def effect(self) -> str:
        """What fails without it."""
        return (
            _("where they do not hold, {lost}", lost=_(self.hook.lost))
            if self.narrow
            else _(self.hook.lost)
        )


def _lost(ruleset: Ruleset, graph: ChainGraph, hooks: Iterable[_Hook]) -> Iterator[_Lost]:
    for hook in hooks:
        if not _made(ruleset, hook):
            continue
        jumps = [
            j
            for j in graph.hooks
            if (j.table, j.hook, j.target) == (hook.table, hook.chain, hook.target)
        ]
        if not any(j.via or all(map(_holds_for_new, j.conditions)) for j in jumps):
            yield _Lost(hook, ruleset, jumps[0] if jumps else None)


def _made(ruleset: Ruleset, hook: _Hook) -> bool:
    """Tell whether the target exists, or must have: a whole dump that marks for masquerading masquerades, too."""
    if ruleset.chain(hook.table, hook.target) is not None:
        return True
    return (
        hook.target == "KUBE-POSTROUTING"
        and ruleset.complete
        and ruleset.chain("nat", "KUBE-MARK-MASQ") is not None
        and ruleset.chain("nat", "POSTROUTING") is not None
    )


def _holds_for_new(match: Match) -> bool:
    """Tell whether a match holds for the first packet of every connection."""
    states = [o for o in match.options if o.flag in {"--ctstate", "--state"}]
    return len(match.options) == len(states) == 1 and all(
        "NEW" in o.values[0].split(",") and not o.negated for o in states
    )


def _refusing(ruleset: Ruleset, proxy: KubeProxy) -> Iterator[_Hook]:
    """Yield the jumps to refusals that the version has; chains without rules refuse nobody."""
    for hook in _REFUSING:
        if proxy.version.at_least(hook.since) and ruleset.rules("filter", hook.target):
            yield hook


def _problem(node: NodeView, lost: list[_Lost]) -> Problem:
    hooks = {item.hook.chain for item in lost}
    effects = tuple(dict.fromkeys(item.effect for item in lost))
    return Problem(
        message=_(
            "{node} lacks the jump from {jumps}: {effects}",
            node=node.name,
            jumps=listed(tuple(map(str, lost)), 6),
            effects="; ".join(effects),
        ),
        evidence=tuple(e for item in lost for e in _shown(item)),
        remedy=_(
            "Restart kube-proxy on {node}: {command}\nAt once, by hand:\n",
            node=node.name,
            command=restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        )
        + "\n".join(_command(item) for item in lost),
        partial=not {"PREROUTING", "OUTPUT"} <= hooks,
    )


def _advice(node: NodeView, lost: list[_Lost]) -> Problem:
    clients = tuple(dict.fromkeys(_(item.hook.lost) for item in lost))
    return Problem(
        message=_(
            "{node} lacks the jump from {jumps}: {clients} wait for a time-out where a "
            "Service has no endpoints, instead of being refused",
            node=node.name,
            jumps=listed(tuple(map(str, lost)), 6),
            clients=listed(clients),
        ),
        evidence=tuple(e for item in lost for e in _shown(item)),
        remedy=_("Restart kube-proxy on {node}: ", node=node.name)
        + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        severity=Severity.INFO,
    )


def _shown(item: _Lost) -> Iterator[Evidence]:
    hook, ruleset = item.hook, item.ruleset
    if item.narrow is not None:
        yield Evidence(
            item.narrow.source, _("jumps to {target} for some connections only", target=hook.target)
        )
        return
    place = ruleset.chain(hook.table, hook.chain) or ruleset.tables[hook.table]
    yield Evidence(
        ruleset.ref(place),
        _("{chain}: no rule of it leads to {target}", chain=hook.chain, target=hook.target),
    )
    target = ruleset.chain(hook.table, hook.target)
    if target is not None:
        yield Evidence(ruleset.ref(target), _("the chain that is not reached"))


def _command(item: _Lost) -> str:
    tool = "iptables" if item.ruleset.family is Family.IPV4 else "ip6tables"
    hook = item.hook
    words = ("-t", hook.table, "-I", hook.chain, "-m", "comment", "--comment", hook.comment)
    return shell(tool, *words, "-j", hook.target)

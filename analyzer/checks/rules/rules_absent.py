"""The check `rules-absent`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES),
    consequence_of=(
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "rules-jump-dangling",
    ),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-writing-rules",
    ),
)
def rules_absent(node: NodeView) -> Iterator[Outcome]:
    """
    A node that should have kube-proxy's rules has none.

    ## Why it matters
    No Service answers from this node, nor for connections that enter the cluster through it.

    ## How to put it right
    If kube-proxy runs, restart it: it writes every rule anew. If the rules go away again, something
    flushes them: firewalld, `iptables -F`, a restart of Docker, another agent.

    ## Where it is silent
    In ipvs and nftables mode, which keep Services elsewhere, under a replacement for kube-proxy, in an IP
    family that no Service has, and when the dump need not be all of the node's rules: of some tables only,
    with an error of iptables-save in it, or without a sign that kube-proxy should be there.
    """
    if node.kube_proxy.mode in _ELSEWHERE:
        return
    for family in Family:
        ruleset = node.ruleset(family)
        needed = any(not e.optional for e in node.expected(family).entries)
        if ruleset is None or not needed or _has_proxy_rules(ruleset):
            continue
        yield _doubt(node, ruleset) or _problem(node, ruleset)


_ELSEWHERE = frozenset({ProxyMode.IPVS, ProxyMode.NFTABLES, ProxyMode.REPLACED, ProxyMode.WINDOWS})


def _has_proxy_rules(ruleset: Ruleset) -> bool:
    """Tell by the nat table: what kube-proxy has in the filter table serves nobody."""
    return bool(
        ruleset.rules("nat", "KUBE-SERVICES") or ruleset.chain("nat", "KUBE-PORTALS-CONTAINER")
    )


def _doubt(node: NodeView, ruleset: Ruleset) -> Undecided | None:
    """Return why it may be that the rules are there and only this dump does not show them."""
    source = Input.RULESET if ruleset.family is Family.IPV4 else Input.RULESET_V6
    if ruleset.problems:
        return _again(node, source, f"{ruleset.problems[0]}")
    other = _LEGACY[source]
    if ruleset.warnings and not node.has(other):
        told = _(
            "{path} holds no rule of kube-proxy and warns of iptables-legacy tables",
            path=ruleset.path,
        )
        return _again(node, other, _("{told}, which are not in the bundle", told=told))
    if "nat" not in ruleset.tables and _in_other_tables(ruleset):
        told = _("holds chains of kube-proxy and no nat table: it seems to be of some tables only")
        return _again(node, source, f"{ruleset.path} {told}")
    if node.kube_proxy.mode is ProxyMode.UNKNOWN and not _expected_here(node):
        told = _("holds no rule of kube-proxy, and nothing shows that it should")
        return _again(node, Input.PROXY_MODE, f"{ruleset.path} {told}")
    return None


_LEGACY = {
    Input.RULESET: Input.RULESET_LEGACY,
    Input.RULESET_V6: Input.RULESET_V6_LEGACY,
}


def _again(node: NodeView, source: Input, reason: str) -> Undecided:
    return Undecided(
        reason=reason, missing=(source.path(node.name),), command=source.command(node.name)
    )


def _in_other_tables(ruleset: Ruleset) -> bool:
    return any(
        name.startswith("KUBE-PROXY-") or name == "KUBE-SERVICES"
        for table in ruleset.tables.values()
        for name in table.chains
    )


def _expected_here(node: NodeView) -> bool:
    """Tell whether kube-proxy shows itself on the node, or in iptables mode on another one."""
    others = node.cluster.nodes.values()
    return bool(
        node.proxy_pods
        or node.proxy_processes
        or any(o.kube_proxy.mode is ProxyMode.IPTABLES for o in others if o is not node)
    )


def _problem(node: NodeView, ruleset: Ruleset) -> Problem:
    tool = "iptables-save" if ruleset.family is Family.IPV4 else "ip6tables-save"
    nat = ruleset.tables.get("nat")
    told, shown = (
        _(
            "{node} has no rule of kube-proxy ({family})",
            node=node.name,
            family=ruleset.family.value,
        ),
        _("no KUBE-SERVICES rule in this dump"),
    )
    if nat and _in_other_tables(ruleset):
        told = _("{told} in the nat table, but some in others: nat was flushed", told=told)
        shown = _("no KUBE-SERVICES rule in this table")
    elif not ruleset.tables:
        told = _("{told}: the dump is empty", told=told)
        shown = _(
            "an empty dump; so it is, too, if it was not taken in the network namespace of the node"
        )
    return Problem(
        message=told,
        evidence=(Evidence(ruleset.ref(nat) if nat else SourceRef(ruleset.path, 1), shown),),
        remedy=_(
            "Restart kube-proxy on {node}, then see whether rules appear:\n{command}\n"
            "{tool} -t nat | grep -c KUBE-SERVICES",
            node=node.name,
            command=restart_kube_proxy(node.proxy_pods, node.proxy_processes),
            tool=tool,
        ),
    )

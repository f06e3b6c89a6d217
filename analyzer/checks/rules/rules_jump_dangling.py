"""The check `rules-jump-dangling`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _, plural
from analyzer.model.chain_names import service_suffix_of
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.chain_owners import maker_of
from analyzer.observe.chains import Jump
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET,),
    consequence_of=("kube-proxy-sync-failing", "kube-proxy-lock-contention"),
    references=("https://github.com/kubernetes/kubernetes/issues/121362",),
)
def rules_jump_dangling(node: NodeView) -> Iterator[Problem]:
    """
    A rule jumps to a chain that does not exist.

    ## Why it matters
    The kernel holds no such rule: the dump was cut, edited, or put together from several. Loaded as it is,
    it would be refused whole, and no Service of the node would answer.

    ## How to put it right
    Take the dump again with `iptables-save -c`; if the jump is still there, restart kube-proxy.

    ## Where it is silent
    For excerpts that declare no chain at all, and for jumps to other programs' chains. A warning where only
    tables other than nat have such a rule: no Service is translated there.
    """
    for family in Family:
        graph = node.chain_graph(family)
        dangling = [j for j in graph.dangling if maker_of(j.target) is not None] if graph else []
        owners = node.chain_owners(family) if dangling else {}
        parts = [
            Part(
                service=owner.service if owner else None,
                text=_(
                    "{chain} ({table}) jumps to {target}",
                    chain=jump.chain,
                    table=jump.table,
                    target=jump.target,
                ),
                evidence=(
                    Evidence(jump.source, _("there is no chain {target}", target=jump.target)),
                ),
            )
            for jump in dangling
            for owner in [owners.get(jump.target) or owners.get(_owner_chain(jump))]
        ]
        if parts:
            yield gathered(
                plural(
                    "{count:,} rule of {node} jumps to a chain that does not exist",
                    "{count:,} rules of {node} jump to a chain that does not exist",
                    len(parts),
                    node=node.name,
                ),
                parts,
                remedy=_(
                    "Collect the ruleset of {node} again. If the jumps are in it, restart "
                    "kube-proxy: ",
                    node=node.name,
                )
                + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                severity=None if any(j.table == "nat" for j in dangling) else Severity.WARNING,
            )


def _owner_chain(jump: Jump) -> str:
    """Return the chain that tells whose jump it is."""
    return jump.chain if service_suffix_of(jump.chain) else ""

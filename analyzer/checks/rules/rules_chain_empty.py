"""The check `rules-chain-empty`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _, plural
from analyzer.model.chain_names import ENDPOINT_PREFIX, service_suffix_of
from analyzer.model.forwarding import ServicePortName
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.chains import ChainGraph, ServiceChain
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Part, Undecided, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET,),
    consequence_of=("kube-proxy-sync-failing", "kube-proxy-lock-contention"),
    references=("https://github.com/kubernetes/kubernetes/issues/129128",),
)
def rules_chain_empty(node: NodeView) -> Iterator[Outcome]:
    """
    A chain that connections are sent to has no rule that sends them on.

    ## Why it matters
    Packets come back from an empty KUBE-SEP chain to the Service's chain: the next rule takes them, so
    that this endpoint gets nothing and the others more. From the last one, and from an empty KUBE-SVC
    chain, they return untranslated and are lost.

    ## How to put it right
    Restart kube-proxy on the node. It does not fill a chain again until its Service changes.

    ## Where it is silent
    For the chains that are empty by design (canary, hint), for chains that nothing leads to, and for
    KUBE-SVC chains of Services without endpoints, which kube-proxy up to 1.9 left empty.
    """
    if node.kube_proxy.mode is not ProxyMode.IPTABLES:
        return
    for family in Family:
        graph = node.chain_graph(family)
        if graph is None or not graph.empty:
            continue
        owners = {**_named(node, graph), **node.chain_owners(family)}
        empty = [c for c in graph.empty if c.callers]
        empty = [c for c in empty if not _idle(node, c, owners.get(c.name))]
        doubtful = [c for c in empty if _may_be_idle(node, c, owners.get(c.name))]
        empty = [c for c in empty if c not in doubtful]
        if doubtful:
            yield Undecided(
                reason=_(
                    "{names} of {node} may be empty for lack of endpoints, which the bundle does "
                    "not tell",
                    names=listed([c.name for c in doubtful]),
                    node=node.name,
                ),
                missing=(Input.SERVICES.path(), Input.ENDPOINT_SLICES.path()),
                command=Input.ENDPOINT_SLICES.command(),
            )
        if empty:
            yield replace(
                gathered(
                    _(
                        "{node} has {chains} in use that {send} nothing on",
                        node=node.name,
                        chains=plural("{count:,} chain", "{count:,} chains", len(empty)),
                        send=plural("sends", "send", len(empty)),
                    ),
                    [_part(c, owners.get(c.name)) for c in empty],
                    remedy=_("Restart kube-proxy on {node}: ", node=node.name)
                    + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                ),
                partial=all(_others_serve(node, family, c) for c in empty),
            )


def _named(node: NodeView, graph: ChainGraph) -> dict[str, ServicePortName]:
    """Return the Service port of each empty chain whose name is the hash of one."""
    suffixes = ((c.name, service_suffix_of(c.name)) for c in graph.empty)
    known = node.cluster.chain_owners
    return {chain: known[s] for chain, s in suffixes if s is not None and s in known}


def _idle(node: NodeView, chain: ServiceChain, owner: ServicePortName | None) -> bool:
    """Tell whether it is the chain of a Service that has no endpoint to fill it with."""
    if chain.name.startswith(ENDPOINT_PREFIX) or owner is None:
        return False
    if not node.has(Input.ENDPOINT_SLICES):
        return False
    backends = node.cluster.backends.get(owner.service, ())
    return not any(b.ready and b.port_name == owner.port for b in backends)


def _may_be_idle(node: NodeView, chain: ServiceChain, owner: ServicePortName | None) -> bool:
    """Tell whether it is not known if the Service has endpoints."""
    if chain.name.startswith(ENDPOINT_PREFIX):
        return False
    return not node.has(Input.ENDPOINT_SLICES) or (owner is None and not node.has(Input.SERVICES))


def _others_serve(node: NodeView, family: Family, chain: ServiceChain) -> bool:
    """Tell whether other endpoints get what an empty KUBE-SEP chain gives back."""
    table = node.observed(family)
    entries = table.entries if table else ()
    chosen = [e for e in entries if any(t.chain == chain.name for t in e.targets)]
    return bool(chosen) and all(any(t.share for t in e.targets) for e in chosen)


def _part(chain: ServiceChain, owner: ServicePortName | None) -> Part:
    caller = chain.callers[0]
    return Part(
        service=owner.service if owner else None,
        text=f"{chain.name}" + (_(" of {owner}", owner=owner) if owner else ""),
        evidence=(
            Evidence(chain.source, _("declared, and no rule of it sends anywhere")),
            Evidence(caller.source, _("sends connections to {chain}", chain=chain.name)),
        ),
    )

"""The check `rules-destination-wrong`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.findings import Evidence, Part, Problem, Severity, Station, check, gathered
from analyzer.model.chain_names import ENDPOINT_PREFIX, endpoint_chain
from analyzer.model.forwarding import Endpoint, Entry, Target
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET,),
    consequence_of=("kube-proxy-sync-failing",),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-iptables",
    ),
)
def rules_destination_wrong(node: NodeView) -> Iterator[Problem]:
    """
    A KUBE-SEP chain sends to another address than the endpoint it was made for.

    ## Why it matters
    The name of the chain is a hash of Service port, protocol and endpoint: kube-proxy cannot have written
    this destination. Somebody or something edited the rule, and its share of the connections goes astray.

    ## How to put it right
    Restart kube-proxy on the node, and find out who edits its chains.

    ## Where it is silent
    In redacted bundles, whose addresses are not the real ones, and where no chain of the dump follows the
    naming of kube-proxy.
    """
    if node.cluster.identity.redacted:
        return
    parts: list[Part] = []
    confirmed = False
    for entry, target in _chosen(node):
        if _matches(entry, target.chain, target.endpoint):
            confirmed = True
        elif target.endpoint is not None:
            parts.append(_part(node, entry, target, target.endpoint))
    if parts and confirmed:
        yield gathered(
            f"{node.name} sends connections to the wrong address",
            parts,
            remedy=f"Restart kube-proxy on {node.name}; then find out what edits its chains.",
        )


def _chosen(node: NodeView) -> Iterator[tuple[Entry, Target]]:
    """Yield each KUBE-SEP target once, with an entry that says whose it is."""
    seen: set[str] = set()
    for family in Family:
        table = node.observed(family)
        for entry in table.entries if table else ():
            for target in entry.targets if entry.service_port else ():
                if target.chain.startswith(ENDPOINT_PREFIX) and target.chain not in seen:
                    seen.add(target.chain)
                    yield entry, target


def _matches(entry: Entry, chain: str, endpoint: Endpoint | None) -> bool:
    name = entry.service_port
    return (
        name is not None
        and endpoint is not None
        and any(
            endpoint_chain(name, entry.frontend.protocol, endpoint, colon=colon) == chain
            for colon in (False, True)
        )
    )


def _part(node: NodeView, entry: Entry, target: Target, wrong: Endpoint) -> Part:
    name = entry.service_port
    right = _right(entry, target.chain, _candidates(node, entry))
    told = f"instead of {right}" if right else "which its name does not stand for"
    return Part(
        service=name.service if name else None,
        text=f"{target.chain} of {name} sends to {wrong} {told}",
        evidence=(Evidence(target.destination or target.source, f"{wrong} {told}"),),
    )


def _candidates(node: NodeView, entry: Entry) -> Iterable[Endpoint]:
    if entry.service_port is None:
        return ()
    backends = node.cluster.backends.get(entry.service_port.service, ())
    return {b.endpoint for b in backends} | entry.endpoints


def _right(entry: Entry, chain: str, candidates: Iterable[Endpoint]) -> Endpoint | None:
    return next((e for e in sorted(candidates) if _matches(entry, chain, e)), None)

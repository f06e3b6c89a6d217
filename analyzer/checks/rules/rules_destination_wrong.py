"""The check `rules-destination-wrong`."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.comparison import Comparison
from analyzer.language import _
from analyzer.model.chain_names import (
    ENDPOINT_PREFIX,
    endpoint_chain,
    service_suffix,
    service_suffix_of,
)
from analyzer.model.forwarding import Endpoint, Entry, Protocol, ServicePortName, Target
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Part, Problem, gathered
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
    right: set[str] = set()
    others: dict[str, _Choice] = {}
    for family in Family:
        sound = _sound(node.comparison(family))
        for entry, target in _chosen(node, family):
            chain, protocol = target.chain, entry.frontend.protocol
            if chain in sound or chain in right:
                continue
            name = _maker(node, entry)
            if name is not None and _is_named_for(chain, name, protocol, target.endpoint):
                right.add(chain)
            else:
                choice = others.setdefault(chain, _Choice(target, protocol))
                choice.names += [name] if name is not None else []
    wrong = [c for c in others.values() if c.target.chain not in right]
    parts = [
        _part(node, choice, choice.target.endpoint)
        for choice in wrong
        if choice.names and choice.target.endpoint is not None
    ]
    if parts and (right or _follows_naming(node)):
        yield gathered(
            _("{node} sends connections to the wrong address", node=node.name),
            parts,
            remedy=_("Find out what edits the chains of kube-proxy, then restart it: ")
            + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        )


class _Choice(Struct):
    """A KUBE-SEP chain in use with the Service ports that it may have been made for."""

    target: Target
    protocol: Protocol
    names: list[ServicePortName] = []  # a struct copies it


def _sound(comparison: Comparison | None) -> set[str]:
    """Return the chains that need no look at their names: with others they serve just the endpoints that they should.

    One whose destination was edited does not know the endpoint's own connections any more.
    """
    agreeing = (pair for pair in comparison.pairs if pair.agrees) if comparison else ()
    return {t.chain for pair in agreeing for t in pair.observed.targets if t.hairpin_masquerade}


def _chosen(node: NodeView, family: Family) -> Iterator[tuple[Entry, Target]]:
    """Yield the KUBE-SEP chains that connections are sent to, each with the entry that chooses it."""
    table = node.observed(family)
    for entry in table.entries if table else ():
        for target in entry.targets:
            if target.chain.startswith(ENDPOINT_PREFIX):
                yield entry, target


def _follows_naming(node: NodeView) -> bool:
    """Tell whether any chain has the name that kube-proxy would give it."""
    return any(
        name is not None
        and _is_named_for(target.chain, name, entry.frontend.protocol, target.endpoint)
        for family in Family
        for entry, target in _chosen(node, family)
        for name in [_maker(node, entry)]
    )


def _is_named_for(
    chain: str, name: ServicePortName, protocol: Protocol, endpoint: Endpoint | None
) -> bool:
    return endpoint is not None and (
        chain == endpoint_chain(name, protocol, endpoint)
        or (not name.port and chain == endpoint_chain(name, protocol, endpoint, colon=True))
    )


def _maker(node: NodeView, entry: Entry) -> ServicePortName | None:
    """Return the Service port that the entry's chain is named for: a jump into it may be the edited rule."""
    suffix = service_suffix_of(entry.chain)
    name = entry.service_port
    if suffix is None or name is None:
        return name
    if suffix in {service_suffix(name, entry.frontend.protocol, colon=c) for c in (False, True)}:
        return name
    return node.cluster.chain_owners.get(suffix)


def _part(node: NodeView, choice: _Choice, wrong: Endpoint) -> Part:
    name, target = choice.names[0], choice.target
    published = {b.endpoint for b in node.cluster.backends.get(name.service, ())}
    named = (
        e
        for e in sorted(published)
        if any(_is_named_for(target.chain, n, choice.protocol, e) for n in choice.names)
    )
    right = next(named, None)
    told = _("instead of {right}", right=right) if right else _("which its name does not stand for")
    return Part(
        service=name.service,
        text=_(
            "{chain} of {name} sends to {wrong} {told}",
            chain=target.chain,
            name=name,
            wrong=wrong,
            told=told,
        ),
        evidence=(Evidence(target.destination or target.source, f"{wrong} {told}"),),
    )

"""The check `rules-destination-wrong`."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
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
    parts: list[Part] = []
    confirmed = False
    for choice in _choices(node):
        if choice.right(choice.target.endpoint):
            confirmed = True
        elif choice.names and choice.target.endpoint is not None:
            parts.append(_part(node, choice, choice.target.endpoint))
    if parts and confirmed:
        yield gathered(
            _("{node} sends connections to the wrong address", node=node.name),
            parts,
            remedy=_("Find out what edits the chains of kube-proxy, then restart it: ")
            + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        )


class _Choice(Struct, frozen=True):
    """A KUBE-SEP chain with the Service ports that it may have been made for."""

    target: Target
    protocol: Protocol
    names: tuple[ServicePortName, ...]

    def right(self, endpoint: Endpoint | None) -> bool:
        """Tell whether the chain is named for the endpoint."""
        return endpoint is not None and any(
            endpoint_chain(name, self.protocol, endpoint, colon=colon) == self.target.chain
            for name in self.names
            for colon in (False, True)
        )


def _choices(node: NodeView) -> Iterator[_Choice]:
    """Yield each KUBE-SEP chain in use once."""
    chosen: dict[str, tuple[Target, Protocol]] = {}
    makers: dict[str, dict[ServicePortName, None]] = {}
    for family in Family:
        table = node.observed(family)
        for entry in table.entries if table else ():
            name = _maker(node, entry)
            for target in entry.targets:
                if target.chain.startswith(ENDPOINT_PREFIX):
                    chosen.setdefault(target.chain, (target, entry.frontend.protocol))
                    if name is not None:
                        makers.setdefault(target.chain, {})[name] = None
    for chain, (target, protocol) in chosen.items():
        yield _Choice(target, protocol, tuple(makers.get(chain, ())))


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
    right = next((e for e in sorted(published) if choice.right(e)), None)
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

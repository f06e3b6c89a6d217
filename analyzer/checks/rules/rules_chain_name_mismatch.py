"""The check `rules-chain-name-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.chain_names import service_suffix, service_suffix_of
from analyzer.model.forwarding import Entry
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, Ref
from analyzer.model.station import Station
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET,),
    consequence_of=(
        "rules-jump-dangling",
        "rules-endpoint-stale",
        "rules-endpoint-missing",
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
    ),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-iptables",
    ),
)
def rules_chain_name_mismatch(node: NodeView) -> Iterator[Problem]:
    """
    A chain does not carry the name that kube-proxy gives to the Service port that it serves.

    ## Why it matters
    The 16 characters after KUBE-SVC- are a hash of namespace, Service, port name and protocol. Another
    hash means that the rule was edited by hand, that the dump and the Services are not of the same
    cluster or time, or that the port was renamed since kube-proxy last wrote.

    ## How to put it right
    Restart kube-proxy on the node; check that all files of the bundle are of one cluster.

    ## Where it is silent
    About the trailing colon of an unnamed port, which depends on the version; in large clusters, whose
    rules have no comment, and where no chain of the dump follows the naming of kube-proxy.
    """
    parts: list[Part] = []
    confirmed = False
    for entry in _dispatched(node):
        if _named_for(entry):
            confirmed = True
        elif entry.service_port is not None:
            parts.append(
                Part(
                    service=entry.service_port.service,
                    text=_(
                        "{chain} serves {service_port}, but is not named for it",
                        chain=entry.chain,
                        service_port=entry.service_port,
                    ),
                    evidence=(
                        Evidence(
                            entry.source,
                            _(
                                "leads to {chain} for {service_port}",
                                chain=entry.chain,
                                service_port=entry.service_port,
                            ),
                        ),
                    ),
                )
            )
    parts = parts if confirmed else []
    parts.extend(_renamed(node))
    if parts:
        yield gathered(
            _("chains on {node} are not named for the ports that they serve", node=node.name),
            parts,
            remedy=_(
                "Restart kube-proxy on {node}: {command}\nIf it stays, check that rules and "
                "Services in the bundle are of the same cluster and time.",
                node=node.name,
                command=restart_kube_proxy(node.proxy_pods, node.proxy_processes),
            ),
        )


def _dispatched(node: NodeView) -> Iterator[Entry]:
    """Yield an entry for each Service chain and Service port that connections reach it for."""
    seen: set[tuple[object, str]] = set()
    for family in Family:
        table = node.observed(family)
        for entry in table.entries if table else ():
            key = (entry.service_port, entry.chain)
            if entry.service_port and service_suffix_of(entry.chain) and key not in seen:
                seen.add(key)
                yield entry


def _named_for(entry: Entry) -> bool:
    name = entry.service_port
    suffix = service_suffix_of(entry.chain)
    return name is not None and any(
        service_suffix(name, entry.frontend.protocol, colon=colon) == suffix
        for colon in (False, True)
    )


def _renamed(node: NodeView) -> Iterator[Part]:
    """Yield the addresses that the rules serve under another port name than the Service has."""
    seen: set[object] = set()
    for family in Family:
        comparison = node.comparison(family)
        for pair in comparison.differing if comparison else ():
            wanted, found = pair.expected.service_port, pair.observed.service_port
            if not wanted or not found or (wanted, found) in seen:
                continue
            if wanted.service == found.service and wanted.port != found.port:
                seen.add((wanted, found))
                yield Part(
                    service=wanted.service,
                    text=_(
                        "{frontend} is served as {spelled}, the Service names the port {named}",
                        frontend=pair.expected.frontend,
                        spelled=_spelled(found.port),
                        named=_spelled(wanted.port),
                    ),
                    evidence=(
                        Evidence(pair.observed.source, _("served as {found}", found=found)),
                        Evidence(
                            _name(pair.expected), _("the Service port {wanted}", wanted=wanted)
                        ),
                    ),
                )


def _name(entry: Entry) -> Ref:
    """Return where the Service names the port."""
    return entry.source.at("name") if isinstance(entry.source, ObjectRef) else entry.source


def _spelled(port: str) -> str:
    return f'"{port}"' if port else _("unnamed")

"""Where rules dropped clients that a Service's `loadBalancerSourceRanges` leave out, by the rules' counters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.model.address import canonical_ip
from analyzer.model.ruleset import Rule, Ruleset
from analyzer.model.source import SourceRef

_FIREWALL = "KUBE-FW-"


@dataclass(frozen=True, slots=True)
class RefusedClients:
    """A rule that drops the others, and has dropped some, or does not tell how many."""

    address: str
    """The load-balancer IP that it is for; empty where its chain tells the Service port."""

    suffix: str
    """The 16 characters of its KUBE-FW chain; empty where the address tells the Service."""

    packets: int | None
    """None where the dump has no counters."""

    source: SourceRef


def refused_clients(ruleset: Ruleset) -> Iterator[RefusedClients]:
    """Yield the rules of KUBE-PROXY-FIREWALL (1.25 and later), then those of the KUBE-FW chains (before)."""
    for rule in ruleset.rules("filter", "KUBE-PROXY-FIREWALL"):
        address = canonical_ip((rule.value("-d") or "").partition("/")[0])
        if address and _packets(rule) != 0:
            yield RefusedClients(address, "", _packets(rule), ruleset.ref(rule))
    nat = ruleset.tables.get("nat")
    for chain in nat.chains.values() if nat else ():
        if chain.name.startswith(_FIREWALL):
            for rule in chain.rules:
                if rule.target == "KUBE-MARK-DROP" and _packets(rule) != 0:
                    suffix = chain.name.removeprefix(_FIREWALL)
                    yield RefusedClients("", suffix, _packets(rule), ruleset.ref(rule))


def _packets(rule: Rule) -> int | None:
    return rule.counters[0] if rule.counters else None

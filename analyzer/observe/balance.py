"""How a KUBE-SVC or KUBE-SVL chain spreads connections over KUBE-SEP chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.model.chain_names import ENDPOINT_PREFIX
from analyzer.model.forwarding import Protocol, Target
from analyzer.model.ruleset import Rule, Ruleset, Table
from analyzer.observe.conditions import (
    ConditionReader,
    number_of,
    probability_of,
    written_probability,
)
from analyzer.observe.endpoint_chain import EndpointChain, read_endpoint_chain
from analyzer.observe.marks import Marks
from analyzer.observe.treatment import add_target

_FEW = 4
"""Rules of a KUBE-SEP chain that are read again as fast as they are remembered; kube-proxy writes two or three."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A chain that does nothing but spread connections over KUBE-SEP chains: the same for every packet."""

    picks: Mapping[str, Target]
    """Targets by the name of their KUBE-SEP chain, in order."""

    left: float
    """Share of the connections that comes back to the caller."""

    affinity_seconds: int | None
    marking: tuple[Rule, ...]
    """Rules before all others that set marks, each on its own conditions."""


@dataclass(slots=True)
class BalanceReader:
    """Reads the balancing and endpoint chains of one nat table, each but for the shortest once for a protocol."""

    ruleset: Ruleset
    nat: Table
    marks: Marks
    conditions: ConditionReader
    _balances: dict[tuple[str, Protocol], Balance | None] = field(default_factory=dict)
    _endpoints: dict[tuple[str, Protocol], EndpointChain] = field(default_factory=dict)

    def balance(self, name: str, protocol: Protocol) -> Balance | None:
        """Return how a chain spreads connections, or None if it does anything else as well."""
        key = (name, protocol)
        if key not in self._balances:
            self._balances[key] = self._read(name, protocol)
        return self._balances[key]

    def endpoint(self, name: str, protocol: Protocol) -> EndpointChain:
        """Return what a KUBE-SEP chain does; nothing where it is absent."""
        chain = self.nat.chains.get(name)
        rules = chain.rules if chain is not None else []
        if len(rules) <= _FEW:
            return read_endpoint_chain(rules, protocol, self.marks, self.conditions)
        key = (name, protocol)
        if key not in self._endpoints:
            read = read_endpoint_chain(rules, protocol, self.marks, self.conditions)
            self._endpoints[key] = read
        return self._endpoints[key]

    def target(
        self, rule: Rule, chosen: EndpointChain, chain: str, share: float, written: float | None
    ) -> Target:
        """Return the target that a rule with a `written` probability chooses for a share of the connections.

        Its share is 0 where the chain sends them nowhere: they come back to the rules behind.
        """
        destination = chosen.destination
        return Target(
            endpoint=chosen.endpoint,
            share=0.0 if destination is None else share,
            source=self.ruleset.ref(rule),
            chain=chain,
            destination=None if destination is None else self.ruleset.ref(destination),
            hairpin_masquerade=chosen.hairpin_masquerade,
            written_share=written,
        )

    def affinity_seconds(self, rule: Rule) -> int | None:
        """Return the time-out of a rule of session affinity, or None for any other rule."""
        conditions = self.conditions[rule.shape]
        if not conditions.affinity or conditions.affinity_seconds is None:
            return None
        return number_of(rule.values[conditions.affinity_seconds])

    def _read(self, name: str, protocol: Protocol) -> Balance | None:
        picks: dict[str, Target] = {}
        marking: list[Rule] = []
        affinity: int | None = None
        mass = 1.0
        for rule in self.nat.chains[name].rules:
            jump = rule.shape.target
            if jump is None or mass <= 0.0:
                continue
            target = rule.values[jump.slot]
            if not target.startswith(ENDPOINT_PREFIX):
                if picks or not self.marks.masquerades(rule):
                    return None
                marking.append(rule)
                continue
            conditions = self.conditions[rule.shape]
            if not conditions.balancing or jump.goto:
                return None
            if conditions.affinity:
                affinity = self.affinity_seconds(rule)
                continue
            chosen = self.endpoint(target, protocol)
            written = written_probability(rule, conditions)
            taken = mass * probability_of(rule, conditions, written)
            add_target(picks, self.target(rule, chosen, target, taken, written))
            if chosen.destination is not None:
                mass -= taken
        return Balance(picks, mass, affinity, tuple(marking))

"""The chains of a table as lines add to them and take away."""

from __future__ import annotations

from analyzer.model.ruleset import Chain, Rule
from analyzer.parse.iptables_line import ChainRemoval

Chains = dict[str, Chain]
"""The chains of one table by name."""


def rules_of(chains: Chains, name: str) -> list[Rule]:
    """Return the rules of a chain, to add to them; it need not have been declared."""
    chain = chains.get(name)
    if chain is None:
        chain = chains[name] = Chain(name, 0, None, None)
    return chain.rules


def insert_rule(chains: Chains, rule: Rule, position: int) -> None:
    """Add a rule at a position, which counts from 1 as that of `-I` does."""
    rules = rules_of(chains, rule.chain)
    rules.insert(min(max(position, 1), len(rules) + 1) - 1, rule)


def declare_chain(chains: Chains, declared: Chain) -> None:
    """Add a chain; one of which rules were seen before keeps them."""
    known = chains.get(declared.name)
    if known is not None:
        declared.rules = known.rules
    chains[declared.name] = declared


def remove_chains(chains: Chains, removal: ChainRemoval) -> None:
    """Remove chains or their rules as iptables does: `-X` leaves what is built in or has rules."""
    for chain in list(chains.values()):
        if removal.name not in {None, chain.name}:
            continue
        if removal.rules_only:
            chain.rules.clear()
        elif chain.policy is None and not chain.rules:
            del chains[chain.name]

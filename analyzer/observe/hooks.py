"""Where kube-proxy's and kubelet's chains hang: the jumps from built-in chains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.model.ruleset import Chain, Match, Ruleset, Table
from analyzer.model.source import SourceRef
from analyzer.observe.chain_owners import maker_of


@dataclass(frozen=True, slots=True)
class HookJump:
    """A rule of a built-in chain that leads into one of kube-proxy's or kubelet's chains."""

    table: str
    hook: str
    """`PREROUTING`, `INPUT`, `FORWARD`, `OUTPUT` or `POSTROUTING`."""

    target: str
    source: SourceRef
    position: int
    """Position of the rule in the built-in chain, from 0."""

    conditions: tuple[Match, ...]
    """What the rule asks of a packet, its comment left out; empty where it holds for every packet."""

    via: tuple[str, ...]
    """Other programs' chains in between; their conditions are not among `conditions`. Empty for a direct jump."""


def hook_jumps(ruleset: Ruleset, table: Table) -> Iterator[HookJump]:
    """Yield the jumps from built-in chains to kube-proxy's and kubelet's, in the order of the rules."""
    for chain in table.chains.values():
        if not is_built_in(chain):
            continue
        for position, rule in enumerate(chain.rules):
            for target, via in _kube_chains(table, rule.target):
                yield HookJump(
                    table=table.name,
                    hook=chain.name,
                    target=target,
                    source=ruleset.ref(rule),
                    position=position,
                    conditions=tuple(m for m in rule.matches if m.name != "comment"),
                    via=via,
                )


def _kube_chains(table: Table, target: str | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield kube-proxy's and kubelet's chains that a jump leads to, directly or through others' chains."""
    if target is None:
        return
    waiting: list[tuple[str, tuple[str, ...]]] = [(target, ())]
    seen = {target}
    while waiting:
        name, via = waiting.pop()
        if maker_of(name) is not None:
            yield name, via
        elif name in table.chains and len(via) < _LONGEST_WAY:
            for rule in table.chains[name].rules:
                if rule.target is not None and rule.target not in seen:
                    seen.add(rule.target)
                    waiting.append((rule.target, (*via, name)))


def is_built_in(chain: Chain) -> bool:
    """Tell whether packets enter the table by this chain."""
    return chain.policy is not None or chain.name in _HOOKS


_LONGEST_WAY = 16
"""Chains of other programs that a jump is followed through; nf_tables allows no more (NFT_JUMP_STACK_SIZE)."""

_HOOKS = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

"""Which table the rules of an excerpt belong to, where no line says it."""

from __future__ import annotations

from analyzer.model.ruleset import Table

_TABLE_OF_TARGET = {
    "DNAT": "nat",
    "MASQUERADE": "nat",
    "NETMAP": "nat",
    "REDIRECT": "nat",
    "SNAT": "nat",
    "CT": "raw",
    "NOTRACK": "raw",
    "TPROXY": "mangle",
    "REJECT": "filter",
}
"""Targets that one table alone accepts (`.table` of the targets in the kernel's `net/netfilter/xt_*.c`)."""


def inferred_table(table: Table, *, listed: bool) -> str:
    """Return the name of an unnamed table by its content, or an empty name where nothing tells.

    The first that applies: a target that only one table accepts; FORWARD beside PREROUTING or POSTROUTING is
    mangle; PREROUTING with nothing but OUTPUT is raw if both are listed with their policies; PREROUTING or
    POSTROUTING is nat; what `iptables -S` printed (`listed`) is filter, its default.
    """
    for rule in table.rules():
        if rule.target in _TABLE_OF_TARGET:
            return _TABLE_OF_TARGET[rule.target]
    policies = {chain.name for chain in table.chains.values() if chain.policy is not None}
    if policies == {"PREROUTING", "OUTPUT"}:
        return "raw"
    if "PREROUTING" in table.chains or "POSTROUTING" in table.chains:
        return "mangle" if "FORWARD" in table.chains else "nat"
    return "filter" if listed else ""

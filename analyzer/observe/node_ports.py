"""On which addresses of a node the rules serve node ports."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model.ruleset import Ruleset
from analyzer.model.source import SourceRef


@dataclass(frozen=True, slots=True)
class NodePortScope:
    """A jump of KUBE-SERVICES to KUBE-NODEPORTS (`--nodeport-addresses`, Kubernetes 1.10 and later)."""

    cidr: str
    """The addresses that it is for; empty for all, also where they are told by `--dst-type`."""

    source: SourceRef


def node_port_scopes(ruleset: Ruleset) -> tuple[NodePortScope, ...]:
    """Return the jumps in order."""
    return tuple(
        NodePortScope("" if rule.value("--dst-type") else rule.value("-d") or "", ruleset.ref(rule))
        for rule in ruleset.rules("nat", "KUBE-SERVICES")
        if rule.target == "KUBE-NODEPORTS"
    )

"""The check `rules-service-missing`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Part, Problem, Severity, Station, check, gathered
from analyzer.model.forwarding import Action, Entry
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.source import SourceRef
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "rules-absent",
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "external-ip-conflict",
        "node-port-conflict",
        "cluster-ip-duplicate",
    ),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-writing-rules",
    ),
)
def rules_service_missing(node: NodeView) -> Iterator[Problem]:
    """
    A Service has ready endpoints, but the node has no rule for one of its addresses.

    ## Why it matters
    Connections to the address are not translated: they leave by the default route, or end at the node
    itself, and the client sees a time-out or a refusal.

    ## How to put it right
    Restart kube-proxy on the node. Since 1.27 it does not rewrite chains of Services that did not change,
    so a rule that was deleted by hand stays away.

    ## Where it is silent
    For Services without ready endpoints, and, as advice only, when the Service changed within a minute
    before the dump.
    """
    for family in Family:
        comparison = node.comparison(family)
        ruleset = node.ruleset(family)
        if comparison is None or ruleset is None:
            continue
        parts = [
            (entry.service_port is None or node.settled(entry.service_port.service), entry)
            for entry in comparison.missing
            if entry.action is Action.FORWARD
        ]
        chain = ruleset.chain("nat", "KUBE-SERVICES")
        shown = ruleset.ref(chain) if chain else SourceRef(ruleset.path, 1)
        for settled in (True, False):
            found = [_part(entry, shown) for is_settled, entry in parts if is_settled is settled]
            if found:
                yield gathered(
                    f"{node.name} has no rule for {len(found)} address{'es' if len(found) > 1 else ''} that "
                    f"it should serve{'' if settled else ' (changed just before the dump)'}",
                    found,
                    remedy=f"Restart kube-proxy on {node.name}; then iptables-save -t nat shows the address in "
                    "KUBE-SERVICES (node ports: KUBE-NODEPORTS).",
                    severity=None if settled else Severity.INFO,
                )


def _part(entry: Entry, shown: SourceRef) -> Part:
    return Part(
        service=entry.service_port.service if entry.service_port else None,
        text=f"{entry.service_port}, {entry.frontend}",
        evidence=(
            Evidence(entry.source, f"should be served: {entry.frontend}"),
            Evidence(shown, "the chain in which its rule is missing"),
        ),
    )

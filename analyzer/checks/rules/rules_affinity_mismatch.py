"""The check `rules-affinity-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.comparison import Pair
from analyzer.findings import Evidence, Part, Problem, Severity, Station, check, gathered
from analyzer.model.forwarding import Action
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
    ),
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/#session-affinity",),
)
def rules_affinity_mismatch(node: NodeView) -> Iterator[Problem]:
    """
    The rules keep clients on their endpoint for another time than the Service says, or not at all.

    ## Why it matters
    With sessionAffinity ClientIP a client comes back to the same pod until the time-out; without the
    rules its session is lost at every connection.

    ## How to put it right
    Restart kube-proxy on the node.
    """
    parts: list[Part] = []
    seen: set[str] = set()
    for family in Family:
        comparison = node.comparison(family)
        for pair in comparison.pairs if comparison else ():
            name = str(pair.expected.service_port)
            if name not in seen and _differs(pair):
                seen.add(name)
                parts.append(_part(pair))
    if parts:
        yield gathered(
            f"session affinity on {node.name} is not as the Services say",
            parts,
            remedy=f"Restart kube-proxy on {node.name}.",
        )


def _differs(pair: Pair) -> bool:
    return (
        pair.expected.service_port is not None
        and pair.observed.action is Action.FORWARD
        and bool(pair.observed.targets)
        and pair.expected.action is Action.FORWARD
        and pair.expected.affinity_seconds != pair.observed.affinity_seconds
    )


def _part(pair: Pair) -> Part:
    name = pair.expected.service_port
    wanted, found = (_told(e.affinity_seconds) for e in (pair.expected, pair.observed))
    return Part(
        service=name.service if name else None,
        text=f"{name} has {found} instead of {wanted}",
        evidence=(
            Evidence(pair.observed.targets[0].source, f"a rule with {found}"),
            Evidence(pair.expected.source, f"the Service port, {wanted}"),
        ),
    )


def _told(seconds: int | None) -> str:
    return "no affinity" if seconds is None else f"an affinity of {seconds} s"

"""The check `rules-affinity-mismatch`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.comparison import Pair
from analyzer.language import _
from analyzer.model.forwarding import Action, Entry, ServicePortName
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef
from analyzer.model.station import Station
from analyzer.problems import Evidence, Part, Problem, gathered
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
        "kube-proxy-lock-contention",
        "rules-endpoint-stale",
        "rules-chain-empty",
        "rules-jump-dangling",
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

    ## Where it is silent
    For Services without endpoints. It only advises when the Service changed within a minute before the dump.
    """
    for family in Family:
        comparison, ruleset = node.comparison(family), node.ruleset(family)
        if comparison is None or ruleset is None:
            continue
        found = dict(_differing(ruleset, comparison.pairs))
        for settled in (True, False):
            parts = [p for name, p in found.items() if node.settled(name.service) is settled]
            if parts:
                yield gathered(
                    _("session affinity on {node} is not as the Services say", node=node.name)
                    + ("" if settled else _(" (changed just before the dump)")),
                    parts,
                    remedy=_("Restart kube-proxy on {node}: ", node=node.name)
                    + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                    severity=None if settled else Severity.INFO,
                )


def _differing(ruleset: Ruleset, pairs: Iterable[Pair]) -> Iterator[tuple[ServicePortName, Part]]:
    """Yield what is wrong with the affinity of a Service port, for each of its addresses."""
    for pair in pairs:
        name = pair.expected.service_port
        if name is None or not pair.tells_endpoints or not pair.observed.targets:
            continue
        if pair.expected.action is not Action.FORWARD:
            continue
        part = _other_time(name, ruleset, pair) or _one_sided(name, ruleset, pair.observed)
        if part is not None:
            yield name, part


def _other_time(name: ServicePortName, ruleset: Ruleset, pair: Pair) -> Part | None:
    if pair.expected.affinity_seconds == pair.observed.affinity_seconds:
        return None
    source = pair.expected.source
    if isinstance(source, ObjectRef):
        source = ObjectRef(source.path, source.index).at("spec", "sessionAffinity")
    keeping = next(
        (r for r in ruleset.rules("nat", pair.observed.chain) if r.has("--rcheck")), None
    )
    wanted, found = (_told(e.affinity_seconds) for e in (pair.expected, pair.observed))
    return Part(
        service=name.service,
        text=_("{name} has {found} instead of {wanted}", name=name, found=found, wanted=wanted),
        evidence=(
            Evidence(ruleset.ref(keeping), _("a rule with {found}", found=found))
            if keeping
            else Evidence(pair.observed.targets[0].source, _("no rule with --rcheck before it")),
            Evidence(source, _("the Service asks for {wanted}", wanted=wanted)),
        ),
    )


def _one_sided(name: ServicePortName, ruleset: Ruleset, entry: Entry) -> Part | None:
    """Return the first endpoint whose clients are not remembered, or remembered and not sent back."""
    if entry.affinity_seconds is None:
        return None
    returning = {r.target for r in ruleset.rules("nat", entry.chain) if r.has("--rcheck")}
    for target in entry.targets:
        if target.chain not in returning:
            return Part(
                service=name.service,
                text=_(
                    "{name} does not send clients back to {endpoint}",
                    name=name,
                    endpoint=target.endpoint,
                ),
                evidence=(
                    Evidence(
                        target.source,
                        _("no --rcheck rule leads to {chain} before it", chain=target.chain),
                    ),
                ),
            )
        if not any(r.has("--set") for r in ruleset.rules("nat", target.chain)):
            return Part(
                service=name.service,
                text=_(
                    "{name} does not remember the clients of {endpoint}",
                    name=name,
                    endpoint=target.endpoint,
                ),
                evidence=(
                    Evidence(target.destination or target.source, _("translates without --set")),
                ),
            )
    return None


def _told(seconds: int | None) -> str:
    return _("no affinity") if seconds is None else _("an affinity of {seconds} s", seconds=seconds)

"""The check `kube-proxy-backend-split`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analyzer.check import check
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Backend, Family, Rule, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView


@dataclass(frozen=True, slots=True)
class _Holder:
    """A backend that sends connections to Services."""

    backend: Backend
    ruleset: Ruleset
    rule: Rule
    """Its first rule of a Service."""

    fitting: int
    """How many of the endpoints that should be behind Services are in it."""


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.ERROR,
    needs=(Input.RULESET,),
    advisory=True,
    references=(
        "https://github.com/kubernetes/kubernetes/issues/71305",
        "https://github.com/kubernetes-sigs/iptables-wrappers",
    ),
)
def kube_proxy_backend_split(node: NodeView) -> Iterator[Outcome]:
    """
    A node holds Service rules in both iptables backends, legacy and nft.

    ## Why it matters
    The kernel runs both. The one registered last decides first, so that old rules nobody updates may take
    connections before the current ones, and which of them does depends on the order of start-up.

    ## How to put it right
    Decide for one backend for everything on the node, and flush the other: restart kube-proxy afterwards.

    ## Where it is silent
    When the other backend has empty tables, only chains of kubelet, or chains that no hook leads to.
    """
    for family in (Family.IPV4, Family.IPV6):
        holders = _holders(node, family)
        if len(holders) > 1:
            yield _problem(node, holders)
            return
    dumps = node.rulesets()
    warning = next((w for r in dumps for w in r.warnings), None)
    if (
        warning is not None
        and len({r.backend for r in dumps}) == 1
        and not node.has(Input.RULESET_LEGACY)
    ):
        yield Undecided(
            reason=_(
                "{path} says that legacy tables exist, but they were not collected",
                path=warning.path,
            ),
            missing=(Input.RULESET_LEGACY.path(node.name),),
            command=Input.RULESET_LEGACY.command(node.name),
        )


def _holders(node: NodeView, family: Family) -> list[_Holder]:
    """Return each known backend with rules of Services in force, the best fitting one first; nothing of one alone."""
    found: dict[Backend, tuple[Ruleset, Rule]] = {}
    for ruleset in node.rulesets(family):
        first = _first_rule(ruleset)
        if first is not None and ruleset.backend is not Backend.UNKNOWN:
            found.setdefault(ruleset.backend, (ruleset, first))
    if len(found) <= 1:
        return []
    expected = {str(t.endpoint) for e in node.expected(family).entries for t in e.targets}
    holders = [
        _Holder(backend, ruleset, first, len(expected & set(_destinations(ruleset))))
        for backend, (ruleset, first) in found.items()
    ]
    return sorted(holders, key=lambda h: h.fitting, reverse=True)


def _first_rule(ruleset: Ruleset) -> Rule | None:
    hooks = {r.target for hook in ("PREROUTING", "OUTPUT") for r in ruleset.rules("nat", hook)}
    rules = ruleset.rules("nat", "KUBE-SERVICES") if "KUBE-SERVICES" in hooks else ()
    return next((r for r in rules if r.target and r.has("-d")), None)


def _destinations(ruleset: Ruleset) -> Iterator[str]:
    nat = ruleset.tables.get("nat")
    for rule in nat.rules() if nat is not None else ():
        if rule.target == "DNAT":
            yield rule.value("--to-destination") or ""


def _problem(node: NodeView, holders: Sequence[_Holder]) -> Problem:
    best, other = holders[:2]
    stale = best.fitting > other.fitting
    told = _("; those in {backend} are out of date", backend=other.backend.value) if stale else ""
    which = (
        _(
            "Keep {backend}, which holds the current endpoints, and empty {other}",
            backend=best.backend.value,
            other=other.backend.value,
        )
        if stale
        else _(
            "Find out which of the two kube-proxy writes (its image's iptables "
            "--version) and empty the other; if that is {backend}",
            backend=other.backend.value,
        )
    )
    tool = ("ip6tables" if best.ruleset.family is Family.IPV6 else "iptables") + "-"
    empty = " && ".join(
        f"{tool}{other.backend.value} -t {table} -{flag}"
        for table in ("nat", "filter", "mangle")
        for flag in ("F", "X")
    )
    return Problem(
        message=_(
            "{node} has rules of Services in both iptables backends, nft and legacy{told}",
            node=node.name,
            told=told,
        ),
        evidence=tuple(
            Evidence(
                h.ruleset.ref(h.rule),
                _("a Service's rule in the {backend} tables", backend=h.backend.value),
            )
            for h in holders
        ),
        remedy=_(
            "{which}, on {node} (rules that other programs have there go with it: "
            "restart those programs and kube-proxy afterwards, or reboot the node):\n"
            "{empty}",
            which=which,
            node=node.name,
            empty=empty,
        ),
        partial=True,
    )

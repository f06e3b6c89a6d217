"""The check `kube-proxy-backend-split`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Backend, Family, Rule, Ruleset
from analyzer.snapshot import NodeView


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
    When the other backend has empty tables, or only chains of kubelet.
    """
    for family in (Family.IPV4, Family.IPV6):
        holders = _holders(node.rulesets(family))
        if len(holders) > 1:
            yield _problem(node, holders)
            return
    dumps = node.rulesets()
    if len({r.backend for r in dumps}) > 1:
        return
    warning = next((w for r in dumps for w in r.warnings), None)
    if warning is not None and not node.has(Input.RULESET_LEGACY):
        yield Undecided(
            reason=f"{warning.path} says that legacy tables exist, but they were not collected",
            missing=(Input.RULESET_LEGACY.path(node.name),),
            command=Input.RULESET_LEGACY.command(node.name),
        )


def _holders(dumps: tuple[Ruleset, ...]) -> dict[Backend, tuple[Ruleset, Rule]]:
    """Return for each known backend a dump of it that has rules of Services, with the first of them."""
    found: dict[Backend, tuple[Ruleset, Rule]] = {}
    for ruleset in dumps:
        rules = ruleset.rules("nat", "KUBE-SERVICES")
        first = next((r for r in rules if r.target and r.has("-d")), None)
        if first is not None and ruleset.backend is not Backend.UNKNOWN:
            found.setdefault(ruleset.backend, (ruleset, first))
    return found


def _problem(node: NodeView, holders: dict[Backend, tuple[Ruleset, Rule]]) -> Problem:
    used = node.ruleset()
    current = used.backend if used is not None and used.backend in holders else Backend.NFT
    other = next(b for b in holders if b is not current)
    tool = f"iptables-{other.value}"
    return Problem(
        message=f"{node.name} has rules of Services in both iptables backends, "
        f"{current.value} (in use) and {other.value}",
        evidence=tuple(
            Evidence(ruleset.ref(rule), f"a Service's rule in the {backend.value} tables")
            for backend, (ruleset, rule) in sorted(holders.items(), key=lambda h: h[0].value)
        ),
        remedy=f"If kube-proxy writes {current.value}, empty the other backend on {node.name}: "
        f"{tool} -t nat -F && {tool} -t nat -X && {tool} -F && {tool} -X (other programs' {other.value} rules "
        "go with it: restart those programs), then restart kube-proxy. Or reboot the node.",
        partial=True,
    )

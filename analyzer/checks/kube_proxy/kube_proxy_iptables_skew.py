"""The check `kube-proxy-iptables-skew`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Backend, Chain, Family, Rule, Ruleset
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.RULESET,),
    advisory=True,
    references=("https://github.com/kubernetes/kubernetes/issues/112477",),
)
def kube_proxy_iptables_skew(node: NodeView) -> Iterator[Problem]:
    """
    Two versions of iptables write the same nft tables and do not read each other's rules.

    ## Why it matters
    iptables 1.8.8 and later stores some rules in a form that 1.8.7 and earlier reads without their match:
    `-m mark --mark 0x8000/0x8000 -j DROP` becomes a DROP of everything. And a program that does not
    recognise its own rule adds it again and again.

    ## How to put it right
    Use an image of kube-proxy (and kubelet's host) whose iptables is at least as new as the host's; then
    restart both.
    """
    for family in Family:
        for ruleset in node.rulesets(family):
            if ruleset.backend is Backend.NFT:
                yield from _signs(node, ruleset)


def _signs(node: NodeView, ruleset: Ruleset) -> Iterator[Problem]:
    firewall = ruleset.chain("filter", "KUBE-FIREWALL")
    naked = _drop_of_everything(firewall) if firewall else None
    if naked is not None:
        yield Problem(
            message=f"KUBE-FIREWALL on {node.name} drops every packet: the rule has lost its match",
            evidence=(Evidence(ruleset.ref(naked), "a DROP without condition"),),
            remedy=_REMEDY,
            severity=Severity.ERROR,
        )
        return
    repeated = _repeated(firewall) if firewall else []
    if repeated:
        yield Problem(
            message=f"KUBE-FIREWALL on {node.name} holds the same rule {len(repeated)} times",
            evidence=tuple(Evidence(ruleset.ref(rule), "the same rule") for rule in repeated[:3]),
            remedy=_REMEDY,
        )


_REMEDY = (
    "Compare `iptables --version` on the host with the one in kube-proxy's image, bring both to 1.8.8 or "
    "later (or both to 1.8.7), flush KUBE-FIREWALL and restart kubelet and kube-proxy."
)


def _drop_of_everything(chain: Chain) -> Rule | None:
    return next(
        (
            rule
            for rule in chain.rules
            if rule.target == "DROP" and not rule.shape.flags - {"-j", "--comment", "-m"}
        ),
        None,
    )


def _repeated(chain: Chain) -> list[Rule]:
    """Return the copies of a rule that stands in the chain three times or more."""
    copies: dict[str, list[Rule]] = defaultdict(list)
    for rule in chain.rules:
        copies[rule.text].append(rule)
    return next((same for same in copies.values() if len(same) > 2), [])  # noqa: PLR2004 - kubelet and kube-proxy each write one

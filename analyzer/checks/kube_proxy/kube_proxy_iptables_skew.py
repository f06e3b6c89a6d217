"""The check `kube-proxy-iptables-skew`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Backend, Chain, Family, Rule, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_KEPT_RULE_BY_RULE = (
    ("filter", "KUBE-FIREWALL"),
    ("filter", "INPUT"),
    ("filter", "FORWARD"),
    ("filter", "OUTPUT"),
    ("nat", "PREROUTING"),
    ("nat", "OUTPUT"),
    ("nat", "POSTROUTING"),
    ("nat", "KUBE-MARK-DROP"),
)
"""Chains in which kubelet and kube-proxy add a rule if they do not see it; all others are written as a whole."""

_ONE_EACH = 2
"""kubelet and kube-proxy may each have written the same rule once."""


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

    ## Where it is silent
    In the legacy backend, and for a rule that stands there twice: kubelet and kube-proxy both write it.
    """
    for family in Family:
        for ruleset in node.rulesets(family):
            if ruleset.backend is Backend.NFT:
                problem = _sign(node, ruleset)
                if problem is not None:
                    yield problem
                    return


def _sign(node: NodeView, ruleset: Ruleset) -> Problem | None:
    firewall = ruleset.chain("filter", "KUBE-FIREWALL")
    naked = _drop_of_everything(firewall) if firewall else None
    if naked is not None:
        return Problem(
            message=_(
                "KUBE-FIREWALL on {node} drops every packet: the rule has no match", node=node.name
            ),
            evidence=(Evidence(ruleset.ref(naked), _("a DROP without condition")),),
            remedy=_remedy(node, _("the chain"), "iptables -F KUBE-FIREWALL"),
            severity=Severity.ERROR,
        )
    for table, name in _KEPT_RULE_BY_RULE:
        copies = _repeated(ruleset.rules(table, name))
        if copies:
            return Problem(
                message=_(
                    "{name} of table {table} on {node} holds the same rule of Kubernetes {count} "
                    "times",
                    name=name,
                    table=table,
                    node=node.name,
                    count=len(copies),
                ),
                evidence=tuple(
                    Evidence(ruleset.ref(rule), _("the same rule")) for rule in copies[:3]
                ),
                remedy=_remedy(
                    node,
                    _("what is too many"),
                    f"iptables -t {table} -L {name} -n --line-numbers",
                ),
            )
    return None


def _drop_of_everything(chain: Chain) -> Rule | None:
    return next(
        (
            rule
            for rule in chain.rules
            if rule.target == "DROP" and not rule.shape.flags - {"-j", "--comment", "-m"}
        ),
        None,
    )


def _repeated(rules: Sequence[Rule]) -> list[Rule]:
    """Return the copies of a rule of Kubernetes that is there more often than two programs write it."""
    copies: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        if rule.chain.startswith("KUBE-") or (rule.target or "").startswith("KUBE-"):
            copies[rule.text].append(rule)
    return next((same for same in copies.values() if len(same) > _ONE_EACH), [])


def _remedy(node: NodeView, what: str, command: str) -> str:
    return _(
        "Compare iptables --version on the host with the one in kube-proxy's image, "
        "and bring both to 1.8.8 or later. Then see to {what} on {node}:\n{command}\n"
        "and restart kubelet, then kube-proxy: ",
        what=what,
        node=node.name,
        command=command,
    ) + restart_kube_proxy(node.proxy_pods, node.proxy_processes)

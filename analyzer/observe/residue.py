"""What another proxy mode left behind and the kernel still follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.model.kube_proxy import ProxyMode, Sign
from analyzer.model.ruleset import Rule, Ruleset


def other_mode_state(mode: ProxyMode, rulesets: Iterable[Ruleset]) -> tuple[Sign, ...]:
    """Return a sign for each other mode whose rules are reached from PREROUTING and name Services.

    Chains that nothing jumps to are harmless and not reported (facts A.4, upgrade residue).
    """
    signs: dict[ProxyMode, Sign] = {}
    for ruleset in rulesets:
        for found, rule, told in _in_force(ruleset):
            if found is not mode and found not in signs:
                claim = f"rules of {found.value} mode are in force"
                signs[found] = Sign(claim, told, ruleset.ref(rule))
    known = mode not in {ProxyMode.UNKNOWN, ProxyMode.REPLACED, ProxyMode.WINDOWS}
    return tuple(signs.values()) if known else ()


def _in_force(ruleset: Ruleset) -> Iterator[tuple[ProxyMode, Rule, str]]:
    hooks = {r.target for r in ruleset.rules("nat", "PREROUTING")}
    for rule in ruleset.rules("nat", "KUBE-PORTALS-CONTAINER"):
        if "KUBE-PORTALS-CONTAINER" in hooks and rule.target in {"REDIRECT", "DNAT"}:
            yield ProxyMode.USERSPACE, rule, "a Service's rule of userspace mode"
            break
    if "KUBE-SERVICES" not in hooks:
        return
    for rule in ruleset.rules("nat", "KUBE-SERVICES"):
        target = rule.target or ""
        if target.startswith(("KUBE-SVC-", "KUBE-SVL-")) and ruleset.rules("nat", target):
            yield ProxyMode.IPTABLES, rule, "a Service's rule of iptables mode"
            break

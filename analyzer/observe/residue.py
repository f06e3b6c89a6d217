"""What another proxy mode left behind and the kernel still follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.language import _
from analyzer.model.kube_proxy import ProxyMode, Sign
from analyzer.model.node import Document, InterfaceAddress
from analyzer.model.ruleset import Ruleset
from analyzer.observe.kernel_state import ModeState, nftables_state

_IPVS_DUMMY = "kube-ipvs0"
"""Interface on which ipvs mode makes every address of a Service one of the node's own."""

_NOT_KUBE_PROXY = {ProxyMode.UNKNOWN, ProxyMode.WINDOWS}


def other_mode_state(
    mode: ProxyMode,
    rulesets: Iterable[Ruleset],
    nft: Document | None,
    addresses: Iterable[InterfaceAddress],
) -> tuple[Sign, ...]:
    """Return a sign for each other mode whose state decides about packets to Services.

    Chains that nothing jumps to are harmless and not reported (facts A.4, upgrade residue). Where another
    program serves Services, any state of kube-proxy counts (facts F1).
    """
    if mode in _NOT_KUBE_PROXY:
        return ()
    signs: dict[ProxyMode, Sign] = {}
    for state, claim, reason in _states(rulesets, nft, addresses):
        if state.mode is not mode and state.mode not in signs:
            signs[state.mode] = Sign(claim, reason, state.source)
    return tuple(signs.values())


def _states(
    rulesets: Iterable[Ruleset], nft: Document | None, addresses: Iterable[InterfaceAddress]
) -> Iterator[tuple[ModeState, str, str]]:
    for ruleset in rulesets:
        for state in _in_force(ruleset):
            name = state.mode.value
            yield (
                state,
                _("rules of {name} mode are in force", name=name),
                _("a Service's rule of {name} mode", name=name),
            )
    for state in nftables_state(nft):
        yield state, _("the table of nftables mode is in force"), _("a chain of nftables mode")
    for address in addresses:
        if address.interface == _IPVS_DUMMY:
            state = ModeState(ProxyMode.IPVS, address.source)
            claim = _(
                "ipvs mode's interface {ipvs_dummy} still holds addresses of Services",
                ipvs_dummy=_IPVS_DUMMY,
            )
            yield (
                state,
                claim,
                _("{address} on {ipvs_dummy}", address=address.address, ipvs_dummy=_IPVS_DUMMY),
            )


def _in_force(ruleset: Ruleset) -> Iterator[ModeState]:
    hooks = {r.target for hook in ("PREROUTING", "OUTPUT") for r in ruleset.rules("nat", hook)}
    for name in ("KUBE-PORTALS-CONTAINER", "KUBE-PORTALS-HOST"):
        for rule in ruleset.rules("nat", name):
            if name in hooks and rule.target in {"REDIRECT", "DNAT"}:
                yield ModeState(ProxyMode.USERSPACE, ruleset.ref(rule))
                break
    if "KUBE-SERVICES" not in hooks:
        return
    for rule in ruleset.rules("nat", "KUBE-SERVICES"):
        target = rule.target or ""
        if target.startswith(("KUBE-SVC-", "KUBE-SVL-")) and ruleset.rules("nat", target):
            yield ModeState(ProxyMode.IPTABLES, ruleset.ref(rule))
            return

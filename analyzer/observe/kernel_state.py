"""Which proxy mode's state is in the kernel of a node, by its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.node import Document
from analyzer.model.ruleset import Ruleset
from analyzer.model.source import Ref
from analyzer.observe.chain_owners import Program, is_service_chain, maker_of

_NFT_TABLE = "kube-proxy"


@dataclass(frozen=True, slots=True)
class ModeState:
    """State that one mode makes."""

    mode: ProxyMode
    source: Ref


def mode_in_force(rulesets: Iterable[Ruleset], nft: Document | None) -> ModeState | None:
    """Return the one mode whose state decides about packets; None where none or several do."""
    found: dict[ProxyMode, ModeState] = {}
    for state in chain(*(_hooked(r) for r in rulesets), nftables_state(nft)):
        found.setdefault(state.mode, state)
    return next(iter(found.values())) if len(found) == 1 else None


def mode_of_remains(rulesets: Iterable[Ruleset], nft: Document | None) -> ModeState | None:
    """Return the one mode whose chains are there, in use or not; None where there are none or several modes'."""
    found = {state.mode: state for state in nftables_state(nft)}
    for ruleset in rulesets:
        for table in ruleset.tables.values():
            for made in table.chains.values():
                program = maker_of(made.name)
                mode = None if program is None else _MODES.get(program)
                if mode is not None and mode not in found:
                    rules = made.rules[:1]
                    place = made if made.line or not rules else rules[0]
                    found[mode] = ModeState(mode, ruleset.ref(place))
    return next(iter(found.values())) if len(found) == 1 else None


_MODES = {
    Program.IPTABLES_PROXY: ProxyMode.IPTABLES,
    Program.IPVS_PROXY: ProxyMode.IPVS,
    Program.USERSPACE_PROXY: ProxyMode.USERSPACE,
}


def _hooked(ruleset: Ruleset) -> Iterator[ModeState]:
    """Yield the modes that have rules about Services behind PREROUTING or OUTPUT."""
    hooks = {r.target for hook in ("PREROUTING", "OUTPUT") for r in ruleset.rules("nat", hook)}
    if hooks & {"KUBE-PORTALS-CONTAINER", "KUBE-PORTALS-HOST"}:
        for name in ("KUBE-PORTALS-CONTAINER", "KUBE-PORTALS-HOST"):
            for rule in ruleset.rules("nat", name)[:1]:
                yield ModeState(ProxyMode.USERSPACE, ruleset.ref(rule))
    if "KUBE-SERVICES" not in hooks:
        return
    for rule in ruleset.rules("nat", "KUBE-SERVICES"):
        if is_service_chain(rule.target or ""):
            yield ModeState(ProxyMode.IPTABLES, ruleset.ref(rule))
            break
    for rule in ruleset.rules("nat", "KUBE-SERVICES"):
        if (rule.value("--match-set") or "").startswith("KUBE-"):
            yield ModeState(ProxyMode.IPVS, ruleset.ref(rule))
            break


def nftables_state(nft: Document | None) -> Iterator[ModeState]:
    """Yield the table `kube-proxy` of `nft -j list ruleset` if it has chains (1.29 and later)."""
    items = nft.find("nftables") if nft is not None else None
    if nft is None or not isinstance(items, list):
        return
    listed = [(index, item) for index, item in enumerate(items) if item is not None]
    for index, item in listed:
        made = item.get("chain") if isinstance(item, dict) else None
        if isinstance(made, dict) and made.get("table") == _NFT_TABLE:
            yield ModeState(ProxyMode.NFTABLES, nft.ref.at("nftables", index))
            return

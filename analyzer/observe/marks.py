"""Which rules mark a packet for masquerading or dropping, whatever the bit is.

kube-proxy and kubelet default to bit 14 (0x4000) for masquerading and kubelet to bit 15 (0x8000) for dropping
(`--iptables-masquerade-bit`, `--iptables-drop-bit`). Kubernetes 1.1 marked with 0x4d415351 ("MASQ"), which has
bit 14 as well.
"""

from __future__ import annotations

from msgspec import Struct

from analyzer.model.ruleset import Rule, Table

MASQUERADE_CHAIN = "KUBE-MARK-MASQ"
DROP_CHAIN = "KUBE-MARK-DROP"

_DEFAULT_MASQUERADE = 0x4000
_SETTERS = ("--set-xmark", "--set-mark", "--or-mark")


class Marks(Struct, frozen=True):
    """How the rules of one ruleset mark packets."""

    masquerade: int
    """Bits that KUBE-POSTROUTING masquerades by."""

    masquerade_chain_works: bool
    """False where KUBE-MARK-MASQ is there in a whole table and marks nothing."""

    def masquerades(self, rule: Rule) -> bool:
        """Tell whether the rule marks a packet for masquerading."""
        target = rule.target
        if target != "MARK":
            return target == MASQUERADE_CHAIN and self.masquerade_chain_works
        return _set_bits(rule) & self.masquerade != 0

    def drops(self, rule: Rule) -> bool:
        """Tell whether the rule marks a packet for dropping (kube-proxy 1.4 to 1.24)."""
        return rule.target == DROP_CHAIN


def marks_of(nat: Table) -> Marks:
    """Return how the nat table's rules mark packets."""
    chain = nat.chains.get(MASQUERADE_CHAIN)
    bits = [_set_bits(rule) for rule in chain.rules] if chain else []
    works = chain is None or chain.line == 0 or not nat.complete or any(bits)
    return Marks(next((b for b in bits if b), _DEFAULT_MASQUERADE), works)


def _set_bits(rule: Rule) -> int:
    """Return the bits that a MARK rule sets; 0 for any other rule."""
    if rule.target != "MARK":
        return 0
    text = next((v for v in map(rule.value, _SETTERS) if v is not None), "0")
    value, _, mask = text.partition("/")
    try:
        bits = int(value, 0)
        return bits & int(mask, 0) if mask else bits
    except ValueError:
        return 0

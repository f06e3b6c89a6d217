"""What a rule does with a packet that matches: the targets, and what is said of them in a path."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from enum import Enum

import msgspec

from analyzer.language import _
from analyzer.model.ruleset import Option, Rule
from analyzer.simulate.match.tracking import mark_and_mask
from analyzer.simulate.packet import Packet, State
from analyzer.simulate.translation import Change, Translation, translation_of

_ALL_BITS = 0xFFFFFFFF

Alteration = Callable[[Packet], Packet]


class Kind(Enum):
    """How the walk goes on after a rule has matched."""

    CONTINUE = "continue"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    TRANSLATE = "translate"
    UNKNOWN = "unknown"


class Effect(msgspec.Struct, frozen=True):
    """The target of a rule."""

    kind: Kind
    text: str
    """What a path says of it: `jump KUBE-SERVICES`, `drop`."""

    chain: str = ""
    """Where a jump or goto leads."""

    alter: Alteration | None = None
    """How the packet changes (marks, tracking), or None where it does not."""

    translation: Translation | None = None

    @property
    def silent(self) -> bool:
        """True for a rule that changes nothing, such as one that only logs or counts."""
        return self.kind is Kind.CONTINUE and self.alter is None


_FIXED = {
    "ACCEPT": Effect(Kind.ACCEPT, "accept"),
    "DROP": Effect(Kind.DROP, "drop"),
    "RETURN": Effect(Kind.RETURN, "return"),
}
_WITHOUT_EFFECT = frozenset(
    {
        "LOG", "NFLOG", "ULOG", "TRACE", "AUDIT", "TCPMSS", "TCPOPTSTRIP", "CHECKSUM", "DSCP", "TOS", "ECN",
        "TTL", "HL", "CLASSIFY", "SECMARK", "CONNSECMARK", "IDLETIMER", "LED", "RATEEST", "TEE",
    }
)  # fmt: skip
"""Targets that do not change where a packet goes."""

_NOT_MODELLED = frozenset(
    {
        "CLUSTERIP",
        "DNPT",
        "HMARK",
        "MIRROR",
        "NFQUEUE",
        "QUEUE",
        "SNPT",
        "SYNPROXY",
        "TARPIT",
        "TPROXY",
    }
)
"""Targets of iptables 1.4 to 1.8 that do; any other unknown name is a chain."""

_NOTHING = Effect(Kind.CONTINUE, "")


def effect_of(rule: Rule, chains: Container[str]) -> Effect:
    """Return the effect of a rule's target; one that is not modelled is UNKNOWN."""
    name = rule.target
    if name is None:
        return _NOTHING
    if name in chains:
        kind = Kind.GOTO if rule.goto else Kind.JUMP
        return Effect(kind, f"{kind.value} {name}", chain=name)
    if rule.goto:
        return Effect(Kind.UNKNOWN, _("goto {name}, a chain that is not there", name=name))
    return _FIXED.get(name) or _built(name, rule.target_options)


def _built(name: str, options: tuple[Option, ...]) -> Effect:
    if name in _WITHOUT_EFFECT:
        return _NOTHING
    if name in _BUILDERS:
        return _BUILDERS[name](options)
    if name in Change.__members__:
        found = translation_of(name, options)
        if found is not None:
            return Effect(Kind.TRANSLATE, name, translation=found)
    elif name not in _NOT_MODELLED:
        return Effect(Kind.UNKNOWN, _("jump {name}, a chain that is not there", name=name))
    return Effect(Kind.UNKNOWN, _("target {name}, which is not modelled", name=name))


def _reject(options: tuple[Option, ...]) -> Effect:
    option = next((o for o in options if o.flag == "--reject-with" and o.values), None)
    answer = option.values[0] if option else "icmp-port-unreachable"
    return Effect(Kind.REJECT, _("reject with {answer}", answer=answer))


def _set_change(options: tuple[Option, ...]) -> Effect:
    names = frozenset(o.values[0] for o in options if len(o.values) > 1)

    def alter(packet: Packet) -> Packet:
        return msgspec.structs.replace(packet, changed_sets=packet.changed_sets | names)

    return Effect(Kind.CONTINUE, _("change a set"), alter=alter)


def _untracked(packet: Packet) -> Packet:
    if not packet.trackable:
        return packet
    return msgspec.structs.replace(packet, state=State.UNTRACKED, connection=None)


def _connection_tracking(options: tuple[Option, ...]) -> Effect:
    flags = {o.flag for o in options}
    if "--notrack" in flags:
        return Effect(Kind.CONTINUE, _("not tracked"), alter=_untracked)
    zones = {"--zone", "--zone-orig", "--zone-reply"} & flags
    return Effect(Kind.UNKNOWN, _("conntrack zone, which is not modelled")) if zones else _NOTHING


def _mark(options: tuple[Option, ...]) -> Effect:
    found = _bits(options)
    if found is None:
        return Effect(Kind.UNKNOWN, _("MARK with an option that is not modelled"))
    value, mask = found
    keep = ~mask & _ALL_BITS

    def alter(packet: Packet) -> Packet:
        return msgspec.structs.replace(packet, mark=(packet.mark & keep) ^ value)

    return Effect(Kind.CONTINUE, _("mark {bits}", bits=f"{value:#x}/{mask:#x}"), alter=alter)


def _bits(options: tuple[Option, ...]) -> tuple[int, int] | None:
    """Return value and mask of `--set-xmark` and of what it is short for (iptables-extensions(8))."""
    if len(options) != 1 or not options[0].values:
        return None
    found = mark_and_mask(options[0].values[0])
    if found is None:
        return None
    value, mask = found
    match options[0].flag:
        case "--set-xmark":
            return value, mask
        case "--set-mark":
            return value, mask | value
        case "--or-mark":
            return value, value
        case "--xor-mark":
            return value, 0
        case "--and-mark":
            return 0, ~value & _ALL_BITS
        case _:
            return None


def _connection_mark(options: tuple[Option, ...]) -> Effect:
    values = {o.flag: o.values[0] if o.values else "" for o in options}
    if {"--left-shift-mark", "--right-shift-mark"} & values.keys():
        return Effect(Kind.UNKNOWN, _("CONNMARK with a shift, which is not modelled"))
    masks = [mark_and_mask(values.get(f) or "0xffffffff") for f in ("--nfmask", "--ctmask")]
    packet_mask, connection_mask = (m[0] if m else _ALL_BITS for m in masks)
    if "--save-mark" in values:
        return _saving(packet_mask, connection_mask)
    if "--restore-mark" in values:
        return _restoring(packet_mask, connection_mask)
    found = _bits(options)
    if found is None:
        return Effect(Kind.UNKNOWN, _("CONNMARK with an option that is not modelled"))
    value, mask = found

    def alter(packet: Packet) -> Packet:
        known = packet.connection
        before = known.mark if known else 0
        return _with_connection_mark(packet, (before & ~mask & _ALL_BITS) ^ value)

    return Effect(
        Kind.CONTINUE, _("connection mark {bits}", bits=f"{value:#x}/{mask:#x}"), alter=alter
    )


def _saving(packet_mask: int, connection_mask: int) -> Effect:
    def alter(packet: Packet) -> Packet:
        before = packet.connection.mark if packet.connection else 0
        kept = before & ~connection_mask & _ALL_BITS
        return _with_connection_mark(packet, kept ^ (packet.mark & packet_mask))

    return Effect(Kind.CONTINUE, _("mark saved in the connection"), alter=alter)


def _restoring(packet_mask: int, connection_mask: int) -> Effect:
    def alter(packet: Packet) -> Packet:
        if packet.connection is None:
            return packet
        kept = packet.mark & ~packet_mask & _ALL_BITS
        restored = kept ^ (packet.connection.mark & connection_mask)
        return msgspec.structs.replace(packet, mark=restored)

    return Effect(Kind.CONTINUE, _("mark restored from the connection"), alter=alter)


def _with_connection_mark(packet: Packet, value: int) -> Packet:
    if packet.connection is None:
        return packet
    marked = msgspec.structs.replace(packet.connection, mark=value)
    return msgspec.structs.replace(packet, connection=marked)


def _no_tracking(_options: tuple[Option, ...]) -> Effect:
    return Effect(Kind.CONTINUE, _("not tracked"), alter=_untracked)


_BUILDERS: Mapping[str, Callable[[tuple[Option, ...]], Effect]] = {
    "CONNMARK": _connection_mark,
    "CT": _connection_tracking,
    "MARK": _mark,
    "NOTRACK": _no_tracking,
    "REJECT": _reject,
    "SET": _set_change,
}

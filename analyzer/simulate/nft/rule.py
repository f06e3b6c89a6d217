"""One rule of nft as rules that a walk understands: a map gives one for each of its elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from analyzer.language import _
from analyzer.model.source import Ref
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.condition import Condition, unknown
from analyzer.simulate.nft.action import (
    Alteration,
    alteration_of,
    is_silent,
    translated_to,
    translation_effect,
    verdict_of,
)
from analyzer.simulate.nft.condition import Elements, compile_match, is_one_of
from analyzer.simulate.nft.constant import Constant, Span, constant
from analyzer.simulate.nft.expression import as_spelled, changes_on_the_way, getter
from analyzer.simulate.nft.text import rule_text, value_text
from analyzer.simulate.packet import Packet
from analyzer.simulate.rule import CompiledRule
from analyzer.simulate.target import Effect, Kind
from analyzer.simulate.translation import Change, Translation

_DAMAGED = (AttributeError, IndexError, KeyError, TypeError, ValueError, StopIteration)
"""What JSON of an unexpected form runs into: everything below takes nft at its word."""

_UNKNOWN_MATCHES = frozenset({"limit", "quota", "ct count", "connlimit", "xt", "meter"})


class Slot(Protocol):
    """What one rule contributes to its chain."""

    def candidates(self, packet: Packet, *, indexed: bool) -> Sequence[CompiledRule]:
        """Return the rules, in order, that may match."""


@dataclass(frozen=True, slots=True)
class _Fixed:
    """Rules that are always looked at."""

    rules: tuple[CompiledRule, ...]

    def candidates(self, packet: Packet, *, indexed: bool) -> Sequence[CompiledRule]:
        del packet, indexed
        return self.rules


class _VerdictMap:
    """A verdict map: the element for a packet is looked up, not searched."""

    def __init__(
        self,
        key: Any,  # noqa: ANN401 - JSON
        elements: Sequence[tuple[Constant | None, CompiledRule]],
        machine: Machine,
    ) -> None:
        self._value_of = getter(key, machine)
        self._steady = not changes_on_the_way(key)
        self._all = tuple(rule for _, rule in elements)
        self._exact: dict[Any, CompiledRule] = {}
        self._others: list[CompiledRule] = []
        for wanted, rule in elements:
            if _is_exact(wanted):
                self._exact.setdefault(wanted, rule)
            else:
                self._others.append(rule)

    def candidates(self, packet: Packet, *, indexed: bool) -> Sequence[CompiledRule]:
        value = self._value_of(packet) if indexed and self._steady else None
        if value is None or not _is_exact(value):
            return self._all
        found = self._exact.get(value)
        return self._others if found is None else [found, *self._others]


def _is_exact(value: Any) -> bool:  # noqa: ANN401 - a Constant or Value
    if type(value) is tuple:
        return all(_is_exact(part) for part in value)
    return type(value) in {int, str}


@dataclass(slots=True)
class _Draft:
    """What the statements of a rule so far ask for and do."""

    source: Ref
    text: str
    conditions: list[Condition] = field(default_factory=list)
    alterations: list[Alteration] = field(default_factory=list)

    def rule(
        self, effect: Effect, *more: Condition, chance: Fraction | None = None
    ) -> CompiledRule:
        """Return the rule with an effect."""
        alterations = tuple(self.alterations)
        if alterations:
            effect = Effect(
                effect.kind,
                effect.text or "set mark",
                effect.chain,
                lambda packet: _altered(packet, alterations),
                effect.translation,
            )
        conditions = (*self.conditions, *more)
        names = tuple("a match" for _ in conditions)
        return CompiledRule(self.text, self.source, effect, conditions, names, chance)


def _altered(packet: Packet, alterations: tuple[Alteration, ...]) -> Packet:
    for alter in alterations:
        packet = alter(packet)
    return packet


class RuleCompiler:
    """Makes the rules of one table ready."""

    def __init__(self, machine: Machine, elements: Elements, chains: frozenset[str]) -> None:
        self._machine = machine
        self._elements = elements
        self._chains = chains

    def slots(self, expressions: Any, source: Ref) -> list[Slot]:  # noqa: ANN401 - JSON
        """Return what a rule contributes to its chain."""
        listed = (
            [e for e in expressions if isinstance(e, dict)] if isinstance(expressions, list) else []
        )
        draft = _Draft(source, rule_text(listed))
        for statement in listed:
            try:
                ended = self._statement(draft, statement)
            except _DAMAGED:
                ended = _unmodelled(draft, "a statement of a form that nft does not print")
            if ended is not None:
                return [ended]
        if any("xt" in statement for statement in listed):
            return [_unmodelled(draft, "an extension of iptables")]
        return [_Fixed((draft.rule(Effect(Kind.CONTINUE, "")),))]

    def _statement(self, draft: _Draft, statement: dict[str, Any]) -> Slot | None:
        """Add a statement to a rule; return the slot where it is the last that counts."""
        if is_silent(statement):
            return None
        if "match" in statement:
            found = compile_match(statement["match"], self._machine, self._elements)
            altered = draft.alterations and changes_on_the_way(statement)
            draft.conditions.append(unknown if altered else found)
            return None
        if statement.keys() & _UNKNOWN_MATCHES:
            draft.conditions.append(unknown)
            return None
        if "vmap" in statement:
            return self._verdict_map(draft, statement["vmap"])
        verdict = verdict_of(statement)
        if verdict is not None:
            return _Fixed((draft.rule(self._existing(verdict)),))
        alteration = alteration_of(statement, self._machine)
        if alteration is not None:
            draft.alterations.append(alteration)
            return None
        return self._translation(draft, statement)

    def _existing(self, effect: Effect) -> Effect:
        if effect.chain and effect.chain not in self._chains:
            return Effect(Kind.UNKNOWN, _("{name}, a chain that is not there", name=effect.text))
        return effect

    # --- maps ---

    def _verdict_map(self, draft: _Draft, item: Any) -> Slot:  # noqa: ANN401 - JSON
        key, pairs = item.get("key"), self._pairs(item.get("data"))
        if pairs is None:
            return _unmodelled(draft, _("a map that is not there"))
        if _modulus(key):
            effects = [(weight, self._verdict(value, "")) for weight, value in _weighted(pairs)]
            return _Fixed(_by_chance(draft, effects, _modulus(key)))
        elements: list[tuple[Constant | None, CompiledRule]] = []
        for wanted, value in pairs:
            found = as_spelled(key, constant(wanted))
            effect = self._verdict(value, value_text(wanted))
            elements.append((found, draft.rule(effect, is_one_of(key, [found], self._machine))))
        return _VerdictMap(key, elements, self._machine)

    def _verdict(self, item: Any, key: str) -> Effect:  # noqa: ANN401 - JSON
        effect = verdict_of(item)
        if effect is None:
            return Effect(Kind.UNKNOWN, _("a verdict that is not modelled"))
        found = self._existing(effect)
        return Effect(found.kind, f"{found.text} ({key})" if key else found.text, found.chain)

    def _pairs(self, item: Any) -> list[list[Any]] | None:  # noqa: ANN401 - JSON
        match item:
            case str(name) if name.startswith("@"):
                found: Any = self._elements.get(name[1:])
            case {"set": list(elements)}:
                found = elements
            case _:
                found = None
        if found is None:
            return None
        return [pair for pair in found if isinstance(pair, list) and len(pair) == 2]  # noqa: PLR2004

    # --- translation ---

    def _translation(self, draft: _Draft, statement: dict[str, Any]) -> Slot:
        name, item = next(iter(statement.items()))
        match item:
            case {"addr": {"map": {"key": key, "data": values}}} if _modulus(key):
                pairs = self._pairs(values)
                change = {"dnat": Change.DNAT, "snat": Change.SNAT}.get(name)
                if pairs is not None and change is not None:
                    effects = [(w, _translated(change, v)) for w, v in _weighted(pairs)]
                    return _Fixed(_by_chance(draft, effects, _modulus(key)))
        effect = translation_effect(name, item)
        if effect is None:
            return _unmodelled(draft, name)
        return _Fixed((draft.rule(effect),))


def _unmodelled(draft: _Draft, name: str) -> Slot:
    return _Fixed(
        (draft.rule(Effect(Kind.UNKNOWN, _("{name}, which is not modelled", name=name))),)
    )


def _translated(change: Change, end: Any) -> Effect:  # noqa: ANN401 - JSON
    found = translated_to(Translation(change), constant(end))
    if found is None:
        return Effect(Kind.UNKNOWN, _("{name} to what is not modelled", name=change.value))
    return Effect(Kind.TRANSLATE, change.value, translation=found)


def _modulus(key: Any) -> int:  # noqa: ANN401 - JSON
    """Return how many values a key takes by chance, 0 for a key that does not."""
    match key:
        case {"numgen": {"mod": int(modulus)}} | {"jhash": {"mod": int(modulus)}}:
            return modulus
        case {"symhash": {"mod": int(modulus)}}:
            return modulus
        case _:
            return 0


def _weighted(pairs: list[list[Any]]) -> list[tuple[int, Any]]:
    """Return the values of a map with how many keys lead to each."""
    found = []
    for wanted, value in pairs:
        key = constant(wanted)
        found.append((key.high - key.low + 1 if isinstance(key, Span) else 1, value))
    return found


def _by_chance(
    draft: _Draft, effects: list[tuple[int, Effect]], modulus: int
) -> tuple[CompiledRule, ...]:
    """Return one rule for each effect, each with its chance among those that are left."""
    rules, left = [], modulus
    for weight, effect in effects:
        share = Fraction(min(weight, left), left) if left > 0 else Fraction(0)
        rules.append(draft.rule(effect, chance=share))
        left -= weight
    return tuple(rules)

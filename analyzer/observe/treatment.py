"""What becomes of a connection, and what is known of it on its way there."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import structs

from analyzer.model.forwarding import Action, Target
from analyzer.model.ruleset import Rule
from analyzer.observe.conditions import Client, ConditionReader, Packet


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of a connection."""

    action: Action
    targets: tuple[Target, ...]
    decided_by: Rule | None
    """The rule that drops or rejects, for such an action."""

    chain: str
    """The Service chain that chooses among the targets, else the last one that the connection entered."""

    affinity_seconds: int | None
    source_ranges: tuple[str, ...] | None
    others_dropped_by: Rule | None
    """The rule at the end of KUBE-FW that drops clients outside the source ranges (kube-proxy 1.4 to 1.24)."""

    masqueraded_by: Rule | None
    masquerade_unknown: bool
    """True where a mark depends on something that is not modelled."""

    def differs(self, other: Treatment) -> bool:
        """Tell whether a connection is sent to another place, masquerading apart."""
        mine, theirs = (
            (t.action, t.decided_by, t.affinity_seconds, t.targets) for t in (self, other)
        )
        return mine != theirs


@dataclass(frozen=True, slots=True)
class MarkingRule:
    """A rule that marks a packet for masquerading, met on the way."""

    rule: Rule
    certain: bool
    """False where only a share of the connections comes there."""


@dataclass(slots=True)
class Passage:
    """A packet on its way through the rules, with what has happened to it."""

    packet: Packet
    asks_client: bool = False
    """True where a rule asked, marking apart, where the connection comes from."""

    marking: list[MarkingRule] = field(default_factory=list)
    picks: dict[str, Target] = field(default_factory=dict)
    entered: str = ""
    chosen_in: str = ""
    action: Action | None = None
    decided_by: Rule | None = None
    affinity_seconds: int | None = None
    source_ranges: tuple[str, ...] | None = None
    others_dropped_by: Rule | None = None

    def decide(self, action: Action, rule: Rule) -> None:
        """Remember the first rule that drops or rejects."""
        if self.action is None:
            self.action, self.decided_by = action, rule

    def treatment(self, client: Client, conditions: ConditionReader) -> Treatment:
        """Return what has become of the packet, or, where no rule asked for its client, of that of another one."""
        packet = Packet(self.packet.frontend, client)
        chances = [(m, conditions.chance(m.rule, packet)) for m in self.marking]
        masquerading = (m.rule for m, chance in chances if chance == 1.0 and m.certain)
        action = Action.FORWARD if self.picks else self.action or Action.FORWARD
        return Treatment(
            action=action,
            targets=tuple(self.picks.values()),
            decided_by=None if action is Action.FORWARD else self.decided_by,
            chain=self.chosen_in or self.entered,
            affinity_seconds=self.affinity_seconds,
            source_ranges=self.source_ranges,
            others_dropped_by=self.others_dropped_by,
            masqueraded_by=next(masquerading, None),
            masquerade_unknown=any(
                chance != 0.0 and not (chance == 1.0 and m.certain) for m, chance in chances
            ),
        )


def add_target(picks: dict[str, Target], target: Target) -> None:
    """Add a target; the shares of one that is chosen twice add up."""
    key = target.chain or str(target.source)
    known = picks.get(key)
    picks[key] = structs.replace(known, share=known.share + target.share) if known else target

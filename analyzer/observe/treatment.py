"""What becomes of a connection, and what is known of it on its way there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import Struct, structs

from analyzer.model.forwarding import Action, Target
from analyzer.model.ruleset import Rule
from analyzer.observe.conditions import Client, ConditionReader, Packet


class Treatment(Struct, frozen=True):
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

    masqueraded_by: Rule | None = None
    masquerade_unknown: bool = False
    """True where a mark depends on something that is not modelled."""

    def differs(self, other: Treatment) -> bool:
        """Tell whether a connection is sent to another place, masquerading apart."""
        mine = (self.action, self.decided_by, self.affinity_seconds, self.targets)
        return mine != (other.action, other.decided_by, other.affinity_seconds, other.targets)


class MarkingRule(Struct, frozen=True):
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

    def treatments(
        self, clients: Iterable[Client], conditions: ConditionReader
    ) -> Iterator[Treatment]:
        """Yield what has become of the packet, and, where no rule asked for its client, of those of others."""
        treatment = self._apart_from_masquerading()
        frontend = self.packet.frontend
        chances = [(m, conditions.chance_at(m.rule, frontend)) for m in self.marking]
        for client in clients:
            by: Rule | None = None
            unknown = False
            for mark, chance in chances:
                if chance == 0.0 or not conditions.is_from(mark.rule, client):
                    continue
                if chance == 1.0 and mark.certain:
                    by = by or mark.rule
                else:
                    unknown = True
            yield (
                structs.replace(treatment, masqueraded_by=by, masquerade_unknown=unknown)
                if by or unknown
                else treatment
            )

    def _apart_from_masquerading(self) -> Treatment:
        action = Action.FORWARD if self.picks else self.action or Action.FORWARD
        return Treatment(
            action=action,
            targets=tuple(self.picks.values()),
            decided_by=None if action is Action.FORWARD else self.decided_by,
            chain=self.chosen_in or self.entered,
            affinity_seconds=self.affinity_seconds,
            source_ranges=self.source_ranges,
            others_dropped_by=self.others_dropped_by,
        )


def add_target(picks: dict[str, Target], target: Target) -> None:
    """Add a target; the shares of one that is chosen twice add up."""
    key = target.chain or str(target.source)
    known = picks.get(key)
    picks[key] = structs.replace(known, share=known.share + target.share) if known else target

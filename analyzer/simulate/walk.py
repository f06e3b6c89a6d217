"""One table at one hook: chains, jumps, goto, RETURN and policies, as ip_tables executes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from analyzer.language import _, later
from analyzer.simulate.branch import (
    Assumption,
    Branch,
    Cause,
    Ending,
    Fate,
    Step,
    Trail,
    Weight,
)
from analyzer.simulate.packet import Packet
from analyzer.simulate.question import Budget
from analyzer.simulate.rule import CompiledRule, all_hold
from analyzer.simulate.sight import Sight
from analyzer.simulate.table import ExecutableChain, ExecutableTable
from analyzer.simulate.target import Effect, Kind
from analyzer.simulate.translation import Translation

_DEEPEST = 128
"""Chains nested deeper call each other in a circle, which the kernel refuses to load."""

_MOST_JUMPS = 100_000
NEW_CLIENT = later("this is for a client that is new to every list of -m recent (session affinity)")
KNOWN_CLIENT = later(
    "this is a client that conntrack.txt shows to have been here before (session affinity)"
)

replace = msgspec.structs.replace


class Passed(NamedTuple):
    """A packet that a table lets go on."""

    branch: Branch
    translation: Translation | None = None
    """What a NAT target wants, or None where none was reached."""

    step: Step | None = None
    """The step of the NAT target; its effect is completed by whoever translates."""


class Frame(NamedTuple):
    """Where the walk stands in a chain."""

    chain: ExecutableChain
    rules: Sequence[CompiledRule]
    """Rules that may match, in order."""

    following: int
    """Which of them is next."""

    caller: Frame | None
    entered: Trail | None
    """The trail just after the jump here: still the same on return where nothing happened in between."""

    depth: int


class Walk:
    """The walk of one packet through one table at one hook."""

    def __init__(
        self,
        host: str,
        table: ExecutableTable,
        budget: Budget,
        sight: Sight,
        *,
        indexed: bool = True,
    ) -> None:
        self._host = host
        self._table = table
        self._budget = budget
        self._sight = sight
        self._indexed = indexed
        self._pending: list[tuple[Branch, Frame]] = []
        self._results: list[Passed | Ending] = []
        self._jumps = 0
        self._base: ExecutableChain | None = None

    def run(self, branch: Branch, base: str) -> list[Passed | Ending]:
        """Return every way on which the packet leaves the table, having entered it by a base chain."""
        chain = self._table.chain(base)
        if chain is None:
            return [Passed(branch)]
        self._base = chain
        self._pending.append((branch, self._enter(chain, branch.packet, None, None)))
        while self._pending:
            self._follow(*self._pending.pop())
        return self._results

    def _enter(
        self, chain: ExecutableChain, packet: Packet, caller: Frame | None, entered: Trail | None
    ) -> Frame:
        self._sight.chains.add(chain)
        rules = chain.candidates(packet, indexed=self._indexed)
        return Frame(chain, rules, 0, caller, entered, caller.depth + 1 if caller else 0)

    def _follow(self, branch: Branch, frame: Frame) -> None:
        """Execute rules until the packet leaves the table; the other side of a split is kept for later."""
        going: tuple[Branch, Frame] | None = (branch, frame)
        while going is not None:
            branch, frame = going
            going = self._next_match(branch, frame)

    def _next_match(self, branch: Branch, frame: Frame) -> tuple[Branch, Frame] | None:
        chain, rules, packet = frame.chain, frame.rules, branch.packet
        for index in range(frame.following, len(rules)):
            rule = rules[index]
            if rule.lists_after is None:
                answer = all_hold(rule.conditions, packet)
            else:
                branch, answer = self._matched(branch, rule, rule.lists_after)
                packet = branch.packet
            if answer is False and rule.asked and rule.lacks_only_list(packet):
                if self._table.shows_on_list(rule.asked, packet):
                    answer, branch = True, branch.assuming(KNOWN_CLIENT, in_place_of=NEW_CLIENT)
                elif Assumption(KNOWN_CLIENT, Weight.USUAL) not in branch.assumed:
                    branch = branch.assuming(NEW_CLIENT, Weight.BEYOND)
            if answer is False:
                continue
            if rule.effect.silent and not rule.listed:
                continue
            after = Frame(chain, rules, index + 1, frame.caller, frame.entered, frame.depth)
            matched = self._split(branch, rule, after, known=answer is not None)
            return None if matched is None else self._apply(matched, rule, _beyond(after, rule))
        return self._leave_chain(branch, frame, returned=None)

    def _matched(
        self, branch: Branch, rule: CompiledRule, before: int
    ) -> tuple[Branch, bool | None]:
        """Tell whether a rule matches whose `recent --set` happens before its last matches are tried."""
        if not all_hold(rule.conditions[:before], branch.packet):
            return branch, rule.matches(branch.packet)
        listed = self._listed(branch, rule)
        return listed, all_hold(rule.conditions[before:], listed.packet)

    def _listed(self, branch: Branch, rule: CompiledRule) -> Branch:
        packet = branch.packet
        entries = {listed.entry(self._host, packet) for listed in rule.listed}
        return replace(branch, packet=replace(packet, recent=packet.recent | entries))

    def _split(
        self, branch: Branch, rule: CompiledRule, after: Frame, *, known: bool
    ) -> Branch | None:
        """Return the branch on which a rule matches, or None for none; keep the one on which it does not."""
        if not known:
            what = _(
                "{undecided} of {place}", undecided=rule.undecided(branch.packet), place=rule.place
            )
            split = self._budget.ask(branch, what, rule.source)
            if split.refused is not None:
                self._results.append(split.refused)
            if split.yes is None or split.no is None:
                return None
            self._pending.append((split.no, after))
            branch = split.yes
        chance = rule.chance
        if chance is None:
            return branch
        if chance < 1:
            self._pending.append((replace(branch, chance=branch.chance * (1 - chance)), after))
        return replace(branch, chance=branch.chance * chance) if chance else None

    def _apply(
        self, branch: Branch, rule: CompiledRule, after: Frame
    ) -> tuple[Branch, Frame] | None:
        effect = rule.effect
        if rule.listed:
            branch = self._listed(branch, rule)
        if effect.alter is not None:
            branch = replace(branch, packet=effect.alter(branch.packet))
        match effect.kind:
            case Kind.CONTINUE:
                if effect.alter is not None:
                    branch = branch.stepped(self._step(branch, after.chain, rule))
                return branch, after
            case Kind.JUMP | Kind.GOTO:
                return self._jump(branch, rule, after)
            case Kind.RETURN:
                return self._leave_chain(branch, after, returned=rule)
            case Kind.TRANSLATE:
                step = self._step(branch, after.chain, rule)
                self._results.append(Passed(branch, effect.translation, step))
            case Kind.ACCEPT:
                self._results.append(Passed(branch.stepped(self._step(branch, after.chain, rule))))
            case _:
                self._results.append(self._end(branch, rule, after.chain))
        return None

    def _jump(
        self, branch: Branch, rule: CompiledRule, after: Frame
    ) -> tuple[Branch, Frame] | None:
        self._jumps += 1
        chain = self._table.chain(rule.effect.chain)
        stepped = branch.stepped(self._step(branch, after.chain, rule))
        if chain is None or after.depth >= _DEEPEST or self._jumps > _MOST_JUMPS:
            reason = _("chains call each other in a circle: {chain}", chain=rule.effect.chain)
            self._results.append(Ending(stepped, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason))
            return None
        if rule.effect.kind is Kind.GOTO:
            frame = self._enter(chain, branch.packet, after.caller, after.entered)
        else:
            frame = self._enter(chain, branch.packet, after, stepped.trail)
        return stepped, frame

    def _leave_chain(
        self, branch: Branch, frame: Frame, returned: CompiledRule | None
    ) -> tuple[Branch, Frame] | None:
        """Go back to the calling chain, or let the policy decide."""
        if returned is None and frame.chain.may_go_on:
            self._results.append(self._cut_off(branch, frame.chain))
            return None
        if frame.caller is None:
            self._results.append(self._by_policy(branch, frame.chain, returned))
            return None
        if branch.trail is not None and branch.trail is frame.entered:
            branch = replace(branch, trail=branch.trail.before)
        return branch, frame.caller

    def _by_policy(
        self, branch: Branch, chain: ExecutableChain, returned: CompiledRule | None
    ) -> Passed | Ending:
        """Let the base chain's policy decide; a goto may have led to another chain before."""
        if returned is not None:
            branch = branch.stepped(self._step(branch, chain, returned))
        base = self._base or chain
        if base.policy in {None, "ACCEPT"}:
            return Passed(branch)
        step = self._noted(
            branch, base, f":{base.name} {base.policy}", _("policy {policy}", policy=base.policy)
        )
        reason = _(
            "the policy of {table} {base} is {policy}",
            table=self._table.name,
            base=base.name,
            policy=base.policy,
        )
        fate = Fate.DROPPED if base.policy == "DROP" else Fate.INCONCLUSIVE
        return Ending(branch.stepped(step), fate, Cause.POLICY, reason)

    def _end(self, branch: Branch, rule: CompiledRule, chain: ExecutableChain) -> Ending:
        stepped = branch.stepped(self._step(branch, chain, rule))
        fates = {Kind.DROP: Fate.DROPPED, Kind.REJECT: Fate.REJECTED}
        fate = fates.get(rule.effect.kind, Fate.INCONCLUSIVE)
        cause = Cause.UNKNOWN if fate is Fate.INCONCLUSIVE else Cause.RULE
        return Ending(stepped, fate, cause, f"{rule.effect.text} ({rule.place})")

    def _cut_off(self, branch: Branch, chain: ExecutableChain) -> Ending:
        reason = _(
            "{path} is cut off: chain {chain} may have more rules",
            path=self._table.path,
            chain=chain.name,
        )
        step = self._noted(branch, chain, f":{chain.name}", _("cut off"))
        return Ending(branch.stepped(step), Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)

    def _step(self, branch: Branch, chain: ExecutableChain, rule: CompiledRule) -> Step:
        hook, table = branch.packet.hook, self._table.name
        effect = _effect_text(rule)
        return Step(
            self._host, branch.leg, hook, table, chain.name, rule.source, rule.subject, effect
        )

    def _noted(self, branch: Branch, chain: ExecutableChain, note: str, effect: str) -> Step:
        hook, table = branch.packet.hook, self._table.name
        return Step(self._host, branch.leg, hook, table, chain.name, chain.source, note, effect)


def _beyond(after: Frame, rule: CompiledRule) -> Frame:
    """Return where the walk goes on after a match: past what else is of the same rule, the rest of a map of nft."""
    rules, following = after.rules, after.following
    while following < len(rules) and rules[following].source is rule.source:
        following += 1
    return after if following == after.following else after._replace(following=following)


def _effect_text(rule: CompiledRule) -> str:
    if rule.chance is None or rule.chance == 1:
        return _said(rule.effect)
    return _("{effect}, chance {float:.4g}", effect=_said(rule.effect), float=float(rule.chance))


def _said(effect: Effect) -> str:
    """Say an effect here, not where rules are read: there may be 400,000 of them."""
    match effect.kind:
        case Kind.JUMP:
            return _("jump {chain}", chain=effect.text.removeprefix("jump "))
        case Kind.GOTO:
            return _("goto {chain}", chain=effect.text.removeprefix("goto "))
        case _kind:
            return effect.text

"""The hooks of one host: which chains a packet passes, by their priorities, with conntrack and NAT between them."""

from __future__ import annotations

from collections.abc import Container, Sequence

import msgspec

from analyzer.language import _
from analyzer.model.ruleset import Family
from analyzer.simulate.branch import (
    Branch,
    Cause,
    Ending,
    Fate,
    Leg,
    Stage,
    Step,
    Way,
    Weight,
    through,
)
from analyzer.simulate.conntrack import confirm, track
from analyzer.simulate.machine import Machine
from analyzer.simulate.nat import bind, is_bound, marked_bound, rewrite
from analyzer.simulate.nft.program import NftProgram
from analyzer.simulate.packet import Hook, Packet, State
from analyzer.simulate.program import CONNTRACK, NAT_DESTINATION, NAT_SOURCE, Program
from analyzer.simulate.question import Budget
from analyzer.simulate.sight import Sight
from analyzer.simulate.table import BaseChain
from analyzer.simulate.translation import described, destination_back
from analyzer.simulate.walk import Passed, Walk

_TRACKING = frozenset({Hook.PREROUTING, Hook.OUTPUT})
_CONFIRMING = frozenset({Hook.INPUT, Hook.POSTROUTING})
_LAST = 1 << 31

replace = msgspec.structs.replace


class Netfilter:
    """The tables of one host."""

    def __init__(
        self,
        machine: Machine,
        budget: Budget,
        pods: Container[int] = (),
        sight: Sight | None = None,
        *,
        indexed: bool = True,
    ) -> None:
        self._machine = machine
        self.budget = budget
        self._sight = sight or Sight()
        self._pods = pods
        """Addresses that no kube-proxy translates."""

        self.reroute: Stage = lambda branch: [branch]
        """Routes what a table of OUTPUT has changed; set by whoever routes."""

        self._indexed = indexed
        """False reads long chains from top to bottom, which must give the same answers."""

        self._programs: dict[Family, tuple[Program | NftProgram, ...] | None] = {}
        self._stages_v4: dict[Hook, tuple[Stage, ...]] = {}
        self._stages_v6: dict[Hook, tuple[Stage, ...]] = {}

    def prerouting(self, branch: Branch) -> Sequence[Way]:
        """Pass PREROUTING: raw, conntrack, mangle, nat."""
        return through(self._read(branch), lambda passing: self._pass(passing, Hook.PREROUTING))

    def input(self, branch: Branch) -> Sequence[Way]:
        """Pass INPUT: mangle, filter, security, nat."""
        return self._pass(branch, Hook.INPUT)

    def forward(self, branch: Branch) -> Sequence[Way]:
        """Pass FORWARD: mangle, filter, security."""
        return self._pass(branch, Hook.FORWARD)

    def output(self, branch: Branch) -> Sequence[Way]:
        """Pass OUTPUT: raw, conntrack, mangle, nat, filter, security."""
        return through(self._read(branch), lambda passing: self._pass(passing, Hook.OUTPUT))

    def postrouting(self, branch: Branch, next_hop: int | None) -> Sequence[Way]:
        """Pass POSTROUTING: mangle, nat; `next_hop` is whom the packet leaves to."""
        packet = replace(branch.packet, in_interface="")
        leaving = replace(branch, packet=packet, next_hop=next_hop)
        return self._pass(leaving, Hook.POSTROUTING)

    def _pass(self, branch: Branch, hook: Hook) -> Sequence[Way]:
        packet = branch.packet
        built = self._stages_v4 if packet.family is Family.IPV4 else self._stages_v6
        stages = built.get(hook)
        if stages is None:
            stages = built[hook] = self._built(packet.family, hook)
        return through([replace(branch, packet=replace(packet, hook=hook))], *stages)

    # --- what hangs on a hook ---

    def _built(self, family: Family, hook: Hook) -> tuple[Stage, ...]:
        """Return the stages of a hook in the order of their priorities."""
        found = [b for program in self._rulesets(family) or () for b in program.base_chains(hook)]
        deciding = [base for base in found if not base.passes_all]
        translating = sorted((b for b in deciding if b.translates), key=lambda b: b.priority)
        stages = [(b.priority, self._table_stage(b)) for b in deciding if not b.translates]
        if hook is not Hook.FORWARD:
            at = NAT_DESTINATION if hook in _TRACKING else NAT_SOURCE
            nat = self._nat_stage(tuple(translating))
            stages.append((at, self._rerouting(nat) if hook is Hook.OUTPUT else nat))
        if hook in _TRACKING:
            stages.append((CONNTRACK, lambda branch: [track(branch, self._machine.name)]))
        if hook in _CONFIRMING:
            stages.append((_LAST, lambda branch: [confirm(branch, self._machine.name)]))
        return tuple(stage for _, stage in sorted(stages, key=lambda item: item[0]))

    def _rulesets(self, family: Family) -> tuple[Program | NftProgram, ...] | None:
        """Return what executes on packets of a family, or None where iptables' rules were not read."""
        if family not in self._programs:
            host = self._machine.host
            dumps = host.rulesets.get(family)
            programs = [Program(d, self._machine) for d in dumps or ()]
            native = [NftProgram(host.nft, family, self._machine)] if host.nft is not None else []
            self._programs[family] = None if dumps is None else (*programs, *native)
        return self._programs[family]

    def _read(self, branch: Branch) -> Sequence[Way]:
        """Stop, or note an assumption, where the rules of the host are not known."""
        packet, name = branch.packet, self._machine.name
        unexecuted = self._machine.host.unexecuted.get(packet.family)
        if unexecuted:
            what = ", ".join(unexecuted)
            reason = _("{name}: {what} may decide, and is not executed", name=name, what=what)
            return [Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
        if self._rulesets(packet.family) is not None:
            return [branch]
        save = "iptables-save" if packet.family is Family.IPV4 else "ip6tables-save"
        if branch.leg is Leg.REQUEST and packet.flow.destination not in self._pods:
            reason = _("the bundle has no {save} of {name}", save=save, name=name)
            return [Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
        return [
            branch.assuming(
                _("{name} lets it pass (no {save})", name=name, save=save), Weight.DECISIVE
            )
        ]

    # --- tables ---

    def _table_stage(self, base: BaseChain) -> Stage:
        def pass_table(branch: Branch) -> Sequence[Way]:
            return [_without_translation(way) for way in self._walk(base, branch)]

        return self._rerouting(pass_table, by_mark=True) if base.reroutes else pass_table

    def _rerouting(self, stage: Stage, *, by_mark: bool = False) -> Stage:
        """Route a packet of the host again where the stage has changed its destination, or its mark.

        Not by a mark that another table sets, nor where the stage only looks at either (`ip_route_me_harder`).
        """

        def pass_and_route(branch: Branch) -> Sequence[Way]:
            before = branch.packet

            def route(passing: Branch) -> Sequence[Way]:
                now = passing.packet
                marked = by_mark and now.mark != before.mark
                if marked or now.flow.destination != before.flow.destination:
                    return self.reroute(passing)
                return [passing]

            return through(stage(branch), route)

        return pass_and_route

    def _walk(self, base: BaseChain, branch: Branch) -> Sequence[Passed | Ending]:
        if base.table is None:
            reason = _(
                "{path} is cut off: a table of {chain} may have been lost",
                path=base.path,
                chain=base.chain,
            )
            return [Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
        name = self._machine.name
        walk = Walk(name, base.table, self.budget, self._sight, indexed=self._indexed)
        return walk.run(branch, base.chain)

    # --- nat ---

    def _nat_stage(self, bases: tuple[BaseChain, ...]) -> Stage:
        def pass_nat(branch: Branch) -> Sequence[Way]:
            packet = branch.packet
            known = packet.connection
            if known is None:
                return [branch]
            if not _decides(packet) or is_bound(known, packet.hook):
                return [self._rewritten(branch)]
            ways: list[Way] = []
            for ordered, chains in self._nat_orders(branch, bases):
                ways += self._bound(ordered, chains)
            return through(ways, lambda passing: [self._rewritten(passing)])

        return pass_nat

    def _nat_orders(
        self, branch: Branch, bases: tuple[BaseChain, ...]
    ) -> list[tuple[Branch, tuple[BaseChain, ...]]]:
        """Return the orders in which chains of one priority may be consulted: those that came last are first."""
        if len({base.priority for base in bases}) == len(bases):
            return [(branch, bases)]
        text = _("which nat tables of {machine} were created last", machine=self._machine.name)
        split = self.budget.ask_once(branch, text)
        ways = ((split.yes, bases), (split.no, tuple(reversed(bases))))
        return [(taken, order) for taken, order in ways if taken is not None]

    def _bound(self, branch: Branch, bases: tuple[BaseChain, ...]) -> Sequence[Way]:
        ways: Sequence[Way] = (branch,)
        for base in bases:
            ways = through(ways, lambda passing, b=base: self._consult(b, passing))  # type: ignore[misc]
        return through(ways, _left_alone)

    def _consult(self, base: BaseChain, branch: Branch) -> Sequence[Way]:
        known = branch.packet.connection
        if known is None or is_bound(known, branch.packet.hook):
            return [branch]
        ways: list[Way] = []
        for way in self._walk(base, branch):
            if isinstance(way, Ending):
                ways.append(way)
            elif way.translation is None or way.step is None:
                ways.append(way.branch)
            else:
                ways += bind(way.branch, self._machine, way.translation, way.step)
        return ways

    def _rewritten(self, branch: Branch) -> Branch:
        packet = branch.packet
        changed = rewrite(packet)
        if changed is packet:
            return branch
        rewritten = replace(branch, packet=changed)
        return rewritten.stepped(self._back(branch, changed)) if packet.reply else rewritten

    def _back(self, branch: Branch, changed: Packet) -> Step:
        before, after = branch.packet.flow, changed.flow
        if before.destination != after.destination or before[3] != after[3]:
            effect = destination_back(changed.family, after.destination, after.destination_ports)
        else:
            effect = _(
                "source back to {described}",
                described=described(changed.family, after.source, after.source_ports),
            )
        hook = branch.packet.hook
        return Step(self._machine.name, branch.leg, hook, "", "", None, "conntrack", effect)


def _without_translation(way: Passed | Ending) -> Way:
    """Go on after a table other than nat, where the kernel accepts no translation."""
    if isinstance(way, Ending):
        return way
    if way.translation is None or way.step is None:
        return way.branch
    reason = _(
        "{translation} outside of a nat chain, which the kernel does not accept",
        translation=way.translation,
    )
    return Ending(way.branch.stepped(way.step), Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)


def _decides(packet: Packet) -> bool:
    """Tell whether nat chains see a packet: it opens a connection, or is a reset that refuses one."""
    return packet.state is State.NEW or (
        packet.state is State.RELATED and packet.protocol not in {"icmp", "icmpv6"}
    )


def _left_alone(branch: Branch) -> Sequence[Way]:
    packet = branch.packet
    known = packet.connection
    if known is None or is_bound(known, packet.hook):
        return [branch]
    return [replace(branch, packet=replace(packet, connection=marked_bound(known, packet.hook)))]

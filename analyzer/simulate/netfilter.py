"""The hooks of one host: which tables a packet passes, in the kernel's order, with conntrack and NAT between them."""

from __future__ import annotations

from collections.abc import Container, Sequence

import msgspec

from analyzer.model.ruleset import Family
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Leg, Step, Way, through
from analyzer.simulate.machine import Machine
from analyzer.simulate.nat import bind, is_bound, marked_bound, rewrite
from analyzer.simulate.packet import Connection, Hook, Packet, State, TcpFlags
from analyzer.simulate.program import Program
from analyzer.simulate.question import Budget
from analyzer.simulate.translation import described
from analyzer.simulate.walk import Passed, Walk

replace = msgspec.structs.replace


class Netfilter:
    """The tables of one host."""

    def __init__(
        self, machine: Machine, budget: Budget, pods: Container[int] = (), *, indexed: bool = True
    ) -> None:
        self._machine = machine
        self.budget = budget
        self._pods = pods
        """Addresses that no kube-proxy translates."""

        self._indexed = indexed
        """False reads long chains from top to bottom, which must give the same answers."""

        self._programs: dict[Family, tuple[Program, ...] | None] = {}
        self._deciders: dict[tuple[Family, str, Hook], tuple[Program, ...]] = {}

    def prerouting(self, branch: Branch) -> Sequence[Way]:
        """Pass PREROUTING: raw, conntrack, mangle, nat."""
        stages = (self._read, self._raw, self._track, self._mangle, self._nat)
        return through([self._at(branch, Hook.PREROUTING)], *stages)

    def input(self, branch: Branch) -> Sequence[Way]:
        """Pass INPUT: mangle, filter, security, nat."""
        stages = (self._mangle, self._filter, self._security, self._nat, self._confirm)
        return through([self._at(branch, Hook.INPUT)], *stages)

    def forward(self, branch: Branch) -> Sequence[Way]:
        """Pass FORWARD: mangle, filter, security."""
        stages = (self._mangle, self._filter, self._security)
        return through([self._at(branch, Hook.FORWARD)], *stages)

    def output_mangle(self, branch: Branch) -> Sequence[Way]:
        """Pass OUTPUT up to mangle, after which a changed mark is routed again."""
        stages = (self._read, self._raw, self._track, self._mangle)
        return through([self._at(branch, Hook.OUTPUT)], *stages)

    def output_nat(self, branch: Branch) -> Sequence[Way]:
        """Pass nat OUTPUT, after which a changed destination is routed again."""
        return self._nat(branch)

    def output_filter(self, branch: Branch) -> Sequence[Way]:
        """Pass the rest of OUTPUT: filter, security."""
        return through([branch], self._filter, self._security)

    def postrouting(self, branch: Branch, next_hop: int | None) -> Sequence[Way]:
        """Pass POSTROUTING: mangle, nat; `next_hop` is whom the packet leaves to."""

        def nat(passing: Branch) -> Sequence[Way]:
            return self._nat(passing, next_hop)

        leaving = replace(branch, packet=replace(branch.packet, in_interface=""))
        return through([self._at(leaving, Hook.POSTROUTING)], self._mangle, nat, self._confirm)

    # --- stages ---

    def _at(self, branch: Branch, hook: Hook) -> Branch:
        return replace(branch, packet=replace(branch.packet, hook=hook))

    def _read(self, branch: Branch) -> Sequence[Way]:
        """Stop, or note an assumption, where the rules of the host are not known."""
        packet, name = branch.packet, self._machine.name
        unexecuted = self._machine.host.unexecuted.get(packet.family)
        if unexecuted:
            what = ", ".join(unexecuted)
            reason = f"{name}: {what} may decide, and is not executed"
            return [Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
        if self._rulesets(packet.family) is not None:
            return [branch]
        save = "iptables-save" if packet.family is Family.IPV4 else "ip6tables-save"
        if branch.leg is Leg.REQUEST and packet.flow.destination not in self._pods:
            reason = f"the bundle has no {save} of {name}"
            return [Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
        return [branch.assuming(f"{name} lets it pass (no {save})", decisive=True)]

    def _rulesets(self, family: Family) -> tuple[Program, ...] | None:
        if family not in self._programs:
            dumps = self._machine.host.rulesets.get(family)
            self._programs[family] = (
                None if dumps is None else tuple(Program(d, self._machine) for d in dumps)
            )
        return self._programs[family]

    def _raw(self, branch: Branch) -> Sequence[Way]:
        return self._tables("raw", branch)

    def _mangle(self, branch: Branch) -> Sequence[Way]:
        return self._tables("mangle", branch)

    def _filter(self, branch: Branch) -> Sequence[Way]:
        return self._tables("filter", branch)

    def _security(self, branch: Branch) -> Sequence[Way]:
        return self._tables("security", branch)

    def _tables(self, name: str, branch: Branch) -> Sequence[Way]:
        """Pass the table of every dump that has something to say at the packet's hook."""
        packet = branch.packet
        ways: Sequence[Way] = (branch,)
        for program in self._deciding(packet.family, name, packet.hook):
            ways = through(ways, lambda passing, p=program: self._table(p, name, passing))  # type: ignore[misc]
        return ways

    def _deciding(self, family: Family, name: str, hook: Hook) -> tuple[Program, ...]:
        """Return the dumps whose table is not plainly empty at a hook."""
        key = (family, name, hook)
        found = self._deciders.get(key)
        if found is None:
            programs = self._rulesets(family) or ()
            found = tuple(p for p in programs if not p.passes_all(name, hook.value))
            self._deciders[key] = found
        return found

    def _table(self, program: Program, name: str, branch: Branch) -> Sequence[Way]:
        return [
            way.branch if isinstance(way, Passed) else way
            for way in self._walk(program, name, branch)
        ]

    def _walk(self, program: Program, name: str, branch: Branch) -> Sequence[Passed | Ending]:
        table = program.table(name)
        if table is not None:
            walk = Walk(self._machine.name, table, self.budget, indexed=self._indexed)
            return walk.run(branch)
        if program.cut:
            reason = f"{program.path} is cut off: table {name} may have been lost"
            return [Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)]
        return [Passed(branch)]

    # --- conntrack ---

    def _track(self, branch: Branch) -> Sequence[Way]:
        packet = branch.packet
        if packet.state is not None or packet.connection is not None:
            return [branch]
        return [replace(branch, packet=self._tracked(branch, packet))]

    def _tracked(self, branch: Branch, packet: Packet) -> Packet:
        for known in branch.connections.get(self._machine.name, ()):
            if packet.flow == known.reply:
                answered = replace(known, seen_reply=True)
                return replace(packet, connection=answered, state=State.ESTABLISHED, reply=True)
            if packet.flow == known.original:
                return _again(packet, known)
        if packet.protocol == "tcp" and packet.flags & TcpFlags.ACK and packet.flags & TcpFlags.SYN:
            return replace(packet, state=State.INVALID)
        if packet.protocol == "sctp" and branch.leg is Leg.REPLY:
            return replace(packet, state=State.INVALID)
        opened = Connection(packet.flow, packet.flow.reversed)
        return replace(packet, connection=opened, state=State.NEW)

    def _confirm(self, branch: Branch) -> Sequence[Way]:
        """Keep the connection, as conntrack does when its first packet leaves the host."""
        packet = branch.packet
        if packet.connection is None:
            return [branch]
        known = replace(packet.connection, confirmed=True)
        name = self._machine.name
        others = tuple(c for c in branch.connections.get(name, ()) if c.original != known.original)
        connections = {**branch.connections, name: (*others, known)}
        kept = replace(packet, connection=known)
        return [replace(branch, packet=kept, connections=connections)]

    # --- nat ---

    def _nat(self, branch: Branch, next_hop: int | None = None) -> Sequence[Way]:
        packet = branch.packet
        known = packet.connection
        if known is None:
            return [branch]
        if packet.state is not State.NEW or is_bound(known, packet.hook):
            return [self._rewritten(branch)]
        ways: list[Way] = []
        for ordered, programs in self._nat_orders(branch):
            ways += self._bound(ordered, programs, next_hop)
        return through(ways, lambda passing: [self._rewritten(passing)])

    def _nat_orders(self, branch: Branch) -> list[tuple[Branch, tuple[Program, ...]]]:
        """Return the orders in which several dumps may be consulted: the tables that came last are first."""
        packet = branch.packet
        programs = self._deciding(packet.family, "nat", packet.hook)
        if self._machine.host.order_known or len(programs) < 2:  # noqa: PLR2004 - two flavours
            return [(branch, programs)]
        text = f"which nat tables of {self._machine.name} were created last, legacy or nft"
        split = self.budget.ask_once(branch, text)
        ways = ((split.yes, programs), (split.no, tuple(reversed(programs))))
        return [(taken, order) for taken, order in ways if taken is not None]

    def _bound(
        self, branch: Branch, programs: tuple[Program, ...], next_hop: int | None
    ) -> Sequence[Way]:
        ways: Sequence[Way] = (branch,)
        for program in programs:
            ways = through(
                ways,
                lambda passing, p=program: self._consult(p, passing, next_hop),  # type: ignore[misc]
            )
        return through(ways, _left_alone)

    def _consult(self, program: Program, branch: Branch, next_hop: int | None) -> Sequence[Way]:
        known = branch.packet.connection
        if known is None or is_bound(known, branch.packet.hook):
            return [branch]
        ways: list[Way] = []
        for way in self._walk(program, "nat", branch):
            if isinstance(way, Ending):
                ways.append(way)
            elif way.translation is None or way.step is None:
                ways.append(way.branch)
            else:
                ways += bind(way.branch, self._machine, way.translation, way.step, next_hop)
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
            end = described(changed.family, after.destination, after.destination_ports)
            effect = f"destination back to {end}"
        else:
            effect = f"source back to {described(changed.family, after.source, after.source_ports)}"
        hook = branch.packet.hook
        return Step(self._machine.name, branch.leg, hook, "", "", None, "conntrack", effect)


def _again(packet: Packet, known: Connection) -> Packet:
    """Return a further packet of the client: only what was answered goes on (`nf_conntrack_proto_tcp`)."""
    if known.seen_reply:
        answered = replace(known, assured=True)
        return replace(packet, connection=answered, state=State.ESTABLISHED)
    if packet.protocol == "tcp" and packet.flags & TcpFlags.ACK:
        return replace(packet, state=State.INVALID)
    return replace(packet, connection=known, state=State.NEW)


def _left_alone(branch: Branch) -> Sequence[Way]:
    packet = branch.packet
    known = packet.connection
    if known is None or is_bound(known, packet.hook):
        return [branch]
    return [replace(branch, packet=replace(packet, connection=marked_bound(known, packet.hook)))]

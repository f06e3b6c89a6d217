"""How the chains of a ruleset hang together: hooks, jumps into nothing, empty and unused Service chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analyzer.model.ruleset import Rule, Ruleset, Table
from analyzer.model.source import SourceRef
from analyzer.observe.chain_owners import KUBE_PROXY, Program, is_service_chain, maker_of
from analyzer.observe.extension_targets import EXTENSION_TARGETS
from analyzer.observe.hooks import HookJump, hook_jumps, is_built_in


@dataclass(frozen=True, slots=True)
class Jump:
    """A rule that leads into a chain."""

    table: str
    chain: str
    """The chain that the rule stands in."""

    target: str
    source: SourceRef


@dataclass(frozen=True, slots=True)
class ServiceChain:
    """A chain of one Service port or endpoint."""

    name: str
    source: SourceRef
    """Its declaration, or where that is absent the first rule that leads to it."""

    callers: tuple[Jump, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A chain that tells that a program has been at work."""

    program: Program
    table: str
    chain: str
    source: SourceRef


@dataclass(frozen=True)
class ChainGraph:
    """What the chains of one ruleset say about its soundness."""

    hooks: tuple[HookJump, ...]
    dangling: tuple[Jump, ...]
    """Jumps to chains that the table does not have. The kernel has none: a dump that does was cut or edited.
    Excerpts are left out: tables without chain declarations, or without COMMIT and with rules of undeclared chains."""

    empty: tuple[ServiceChain, ...]
    """Service chains in use without any rule that sends a connection on. Normal for KUBE-SVC chains of Services
    without endpoints in 1.2 to 1.9."""

    unused: tuple[ServiceChain, ...]
    """Service chains that no connection comes to: what is left of Services that are gone. Harmless; deleted by the
    next full sync, in large clusters late (kube-facts A.7)."""

    traces: tuple[Trace, ...]
    """One for each program."""

    @property
    def kube_proxy(self) -> bool:
        """True when any chain is kube-proxy's own."""
        return any(t.program in KUBE_PROXY for t in self.traces)

    @property
    def kubelet_only(self) -> bool:
        """True when there are chains of kubelet's and none that only kube-proxy makes."""
        return bool(self.traces) and not self.kube_proxy

    def trace(self, program: Program) -> Trace | None:
        """Return a chain that only this program makes, or None."""
        return next((t for t in self.traces if t.program is program), None)

    def hooks_to(self, table: str, target: str) -> dict[str, HookJump]:
        """Return the first jump to a chain from each built-in chain."""
        found: dict[str, HookJump] = {}
        for jump in self.hooks:
            if (jump.table, jump.target) == (table, target):
                found.setdefault(jump.hook, jump)
        return found


def chain_graph(ruleset: Ruleset) -> ChainGraph:
    """Return how the chains of a ruleset hang together."""
    tables = tuple(ruleset.tables.values())
    empty: list[ServiceChain] = []
    unused: list[ServiceChain] = []
    dangling: list[Jump] = []
    traces: dict[Program, Trace] = {}
    for table in tables:
        led_to = {name: _targets(chain.rules) for name, chain in table.chains.items()}
        reached = _reached(table, led_to)
        services = {name for name in table.chains if is_service_chain(name)}
        sending = _SENDING | services
        barren = {
            name
            for name, targets in led_to.items()
            if sending.isdisjoint(targets)
            and name in services
            and name in reached
            and not any(map(is_service_chain, targets))  # one that is not declared
        }
        empty.extend(_described(ruleset, table, barren))
        unused.extend(_described(ruleset, table, services - reached))
        targets_of_all = reached.union(*[t for name, t in led_to.items() if name not in reached])
        dangling.extend(_dangling(ruleset, table, targets_of_all))
        _add_traces(traces, ruleset, table, services)
    return ChainGraph(
        hooks=tuple(jump for table in tables for jump in hook_jumps(ruleset, table)),
        dangling=tuple(dangling),
        empty=tuple(empty),
        unused=tuple(unused),
        traces=tuple(traces.values()),
    )


_LedTo = Mapping[str, Sequence[str]]
"""The targets of the rules of each chain, in order."""


def _targets(rules: Sequence[Rule]) -> list[str]:
    return [rule.values[t.slot] for rule in rules if (t := rule.shape.target) is not None]


def _reached(table: Table, led_to: _LedTo) -> set[str]:
    """Return the chains that a packet can come to, and other targets; KUBE-SERVICES counts even without hooks."""
    reached = {c.name for c in table.chains.values() if is_built_in(c)}
    reached.update(n for n in ("KUBE-SERVICES", "KUBE-NODEPORTS") if n in table.chains)
    waiting = list(reached)
    for name in waiting:
        for target in led_to.get(name, ()):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


_SENDING = {"DNAT", "REDIRECT", "DROP", "REJECT", "KUBE-MARK-DROP"}


def _described(ruleset: Ruleset, table: Table, names: set[str]) -> Iterator[ServiceChain]:
    if not names:
        return
    wanted: dict[str, list[Jump]] = {name: [] for name in table.chains if name in names}
    for rule in table.rules():
        target = rule.target
        if target in wanted:
            wanted[target].append(_jump(ruleset, table, rule, target))
    for name, callers in wanted.items():
        chain = table.chains[name]
        source = callers[0].source if callers and not chain.line else ruleset.ref(chain)
        yield ServiceChain(name, source, tuple(callers))


def _dangling(ruleset: Ruleset, table: Table, targets: set[str]) -> Iterator[Jump]:
    undeclared = [chain.line == 0 for chain in table.chains.values()]
    if all(undeclared) or (not table.complete and any(undeclared)):
        return
    missing = targets - table.chains.keys() - EXTENSION_TARGETS
    for rule in table.rules() if missing else ():
        if (target := rule.target) is not None and target in missing:
            yield _jump(ruleset, table, rule, target)


def _jump(ruleset: Ruleset, table: Table, rule: Rule, target: str) -> Jump:
    return Jump(table.name, rule.chain, target, ruleset.ref(rule))


def _add_traces(
    traces: dict[Program, Trace], ruleset: Ruleset, table: Table, services: set[str]
) -> None:
    """Add the first chain of each program; a jump or a rule of a chain counts as well as its declaration."""
    for name, chain in table.chains.items():
        program = Program.IPTABLES_PROXY if name in services else maker_of(name)
        if program is not None and program not in traces:
            rules = chain.rules[:1]
            place = chain if chain.line or not rules else rules[0]
            traces[program] = Trace(program, table.name, name, ruleset.ref(place))

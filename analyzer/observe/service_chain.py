"""What becomes of a connection that enters a Service's chains (KUBE-SVC, -SVL, -EXT, -XLB, -FW, -SEP).

A packet goes through the rules as in the kernel, but with a probability instead of dice: a rule takes its share and
what comes back from its chain goes on to the next rule. So an emptied KUBE-SEP chain has a share of 0, the rules
behind it get what it did not take, and where it was the last one the shares add up to less than 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from analyzer.model.chain_names import ENDPOINT_PREFIX, service_suffix_of
from analyzer.model.forwarding import Action, Frontend
from analyzer.model.ruleset import Rule, Ruleset, Table
from analyzer.observe.balance import Balance, BalanceReader
from analyzer.observe.conditions import (
    CLIENTS,
    Client,
    ConditionReader,
    Packet,
    host_of,
    written_probability,
)
from analyzer.observe.endpoint_chain import EndpointChain, endpoint_of, translates
from analyzer.observe.marks import marks_of
from analyzer.observe.treatment import MarkingRule, Passage, Treatment, add_target

_DEEPEST = 16
"""How deep jumps are followed: nf_tables' own limit (NFT_JUMP_STACK_SIZE); kube-proxy needs five."""

_STEPS_PER_RULE = 100
"""Bounds the work on a ruleset made to be slow; rules that kube-proxy writes are read a handful of times."""

_FIREWALL_PREFIX = "KUBE-FW-"
_VERDICTS = {"DROP": Action.DROP, "REJECT": Action.REJECT}

_Path = tuple[str, ...]
"""The chains that a packet is in, outermost first."""


class Reach(Struct, frozen=True):
    """The rules that a connection can come to, whatever it is."""

    content: tuple[object, ...]
    """All that the rules say, in an order of its own; equal where the rules are."""

    lines: tuple[int, ...]
    """Lines of the rules and of the declarations of their chains, in the same order."""


class ServiceChains:
    """The Service chains of one nat table."""

    def __init__(self, ruleset: Ruleset, nat: Table) -> None:
        """Read marks; everything else is read when a packet comes there."""
        self.marks = marks_of(nat)
        self.nat = nat
        self._conditions = ConditionReader()
        self._reader = BalanceReader(ruleset, nat, self.marks, self._conditions)
        self._steps = 10_000 + _STEPS_PER_RULE * sum(len(c.rules) for c in nat.chains.values())
        self._looks = self._steps

    def follow(self, rules: Iterable[Rule], frontend: Frontend) -> dict[Client, Treatment]:
        """Return what becomes of each class of clients that meets these rules.

        Most rules ask for clients only to mark them: then one walk tells it of all.
        """
        found: dict[Client, Treatment] = {}
        clients = CLIENTS
        while clients:
            passage = Passage(Packet(frontend, clients[0]))
            self._walk(rules, 1.0, passage, ())
            alike = clients[:1] if passage.asks_client else clients
            found.update(zip(alike, passage.treatments(alike, self._conditions), strict=True))
            clients = clients[len(alike) :]
        return found

    def reach(self, rules: Sequence[Rule]) -> Reach | None:
        """Return what a connection that meets these rules can come to; None where that is too much to look at."""
        chains = self.nat.chains
        content: list[object] = []
        lines: list[int] = []
        seen: set[str] = set()
        waiting = [rules]
        for group in waiting:
            self._looks -= len(group)
            if self._looks < 0:
                return None
            for rule in group:
                shape, values = rule.shape, rule.values
                content.append(shape)
                content.append(values)
                lines.append(rule.line)
                target = "" if shape.target is None else values[shape.target.slot]
                if target not in seen and target in chains:
                    seen.add(target)
                    chain = chains[target]
                    content.append(chain.line > 0)
                    lines.append(chain.line)
                    waiting.append(chain.rules)
        return Reach(tuple(content), tuple(lines))

    def _walk(self, rules: Iterable[Rule], mass: float, passage: Passage, path: _Path) -> float:
        """Let a share of a packet go through rules; return what comes back to the caller."""
        returned = 0.0
        whole = mass
        for rule in rules:
            self._steps -= 1
            if mass <= 0.0 or self._steps < 0:
                break
            if rule.target is None:
                continue
            if self.marks.masquerades(rule):
                passage.marking.append(MarkingRule(rule, certain=mass == whole))
                continue
            passage.asks_client |= self._conditions[rule.shape].asks_client
            taken = mass * (self._conditions.chance(rule, passage.packet) or 0.0)
            if taken == 0.0:
                self._remember_affinity(rule, passage)
                continue
            left = taken if rule.target == "RETURN" else self._take(rule, taken, passage, path)
            mass -= taken
            if rule.goto or rule.target == "RETURN":
                returned += left
            else:
                mass += left
        return mass + returned

    def _take(self, rule: Rule, taken: float, passage: Passage, path: _Path) -> float:
        """Let a rule have its share; return what comes back from its target."""
        target = rule.target or ""
        if translates(rule):
            return self._pick(
                rule, EndpointChain(rule, endpoint_of(rule), False), taken, passage, path
            )
        if target.startswith(ENDPOINT_PREFIX):
            chosen = self._reader.endpoint(target, passage.packet.frontend.protocol)
            return self._pick(rule, chosen, taken, passage, path)
        if target in _VERDICTS:
            passage.decide(_VERDICTS[target], rule)
            return 0.0
        if self.marks.drops(rule):
            passage.decide(Action.DROP, rule)
            return taken
        return 0.0 if target == "ACCEPT" else self._enter(target, taken, passage, path)

    def _pick(
        self, rule: Rule, chosen: EndpointChain, taken: float, passage: Passage, path: _Path
    ) -> float:
        chain = "" if translates(rule) else rule.target or ""
        written = written_probability(rule, self._conditions[rule.shape])
        add_target(passage.picks, self._reader.target(rule, chosen, chain, taken, written))
        if path and not passage.chosen_in:
            passage.chosen_in = path[-1]
        return taken if chosen.destination is None else 0.0

    def _enter(self, name: str, taken: float, passage: Passage, path: _Path) -> float:
        """Let a share go through a chain; nothing happens in one that is absent or leads back to itself."""
        if service_suffix_of(name) is not None:
            passage.entered = name
        chain = self.nat.chains.get(name)
        if chain is None or name in path or len(path) >= _DEEPEST:
            return taken
        if name.startswith(_FIREWALL_PREFIX):
            return self._pass_firewall(chain.rules, taken, passage, (*path, name))
        balance = self._reader.balance(name, passage.packet.frontend.protocol)
        if balance is not None:
            return self._spread(balance, name, taken, passage)
        return self._walk(chain.rules, taken, passage, (*path, name))

    def _spread(self, balance: Balance, name: str, taken: float, passage: Passage) -> float:
        passage.marking += [MarkingRule(rule, certain=taken == 1.0) for rule in balance.marking]
        if taken == 1.0 and not passage.picks:
            passage.picks = dict(balance.picks)
        else:
            for target in balance.picks.values():
                add_target(passage.picks, structs.replace(target, share=target.share * taken))
        if balance.picks and not passage.chosen_in:
            passage.chosen_in = name
            passage.affinity_seconds = balance.affinity_seconds
        return balance.left * taken

    def _pass_firewall(
        self, rules: list[Rule], taken: float, passage: Passage, path: _Path
    ) -> float:
        """Read a KUBE-FW chain: one and the same jump for every source range, then a drop for the others.

        The packet is taken to come from one of the ranges; the load-balancer IP itself, which kube-proxy adds for
        nodes that have it as an address of their own, is none of them.
        """
        ranges: list[str] = []
        admitting: Rule | None = None
        dropping: Rule | None = None
        restricted = True
        for rule in rules:
            conditions = self._conditions[rule.shape]
            source = None if conditions.source is None else rule.values[conditions.source]
            if self.marks.masquerades(rule):
                passage.marking.append(MarkingRule(rule, certain=True))
            elif self.marks.drops(rule):
                dropping = rule
            elif service_suffix_of(rule.target or "") is not None and not conditions.unknown:
                admitting = admitting or rule
                if source is None or conditions.source_negated:
                    restricted = False
                elif host_of(source) != passage.packet.frontend.address:
                    ranges.append(source)
        left = taken
        if admitting is not None:
            left = self._enter(admitting.target or "", taken, passage, path)
            if restricted:
                passage.source_ranges = tuple(ranges)
                passage.others_dropped_by = dropping
        if dropping is not None:
            passage.decide(Action.DROP, dropping)
        return left

    def _remember_affinity(self, rule: Rule, passage: Passage) -> None:
        if (rule.target or "").startswith(ENDPOINT_PREFIX):
            passage.affinity_seconds = (
                self._reader.affinity_seconds(rule) or passage.affinity_seconds
            )

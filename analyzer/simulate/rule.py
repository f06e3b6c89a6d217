"""A rule made ready to be executed: what has to hold, by what chance, and what happens then."""

from __future__ import annotations

from collections.abc import Container, Sequence
from fractions import Fraction

import msgspec

from analyzer.model.ruleset import Match, Rule
from analyzer.model.source import ParseProblem, Ref, SourceRef
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.catalogue import MATCHES
from analyzer.simulate.match.chance import RecentList, chance_of, list_of, puts_on_list
from analyzer.simulate.match.condition import Condition, unknown
from analyzer.simulate.packet import Packet
from analyzer.simulate.target import Effect, Kind, effect_of

_PROTOCOL_MATCHES = frozenset({"tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmp6"})
_PROTOCOL_OPTIONS = frozenset(
    {
        "--sport", "--source-port", "--dport", "--destination-port",
        "--tcp-flags", "--syn", "--icmp-type", "--icmpv6-type",
    }
)  # fmt: skip


class CompiledRule(msgspec.Struct, frozen=True, eq=False):
    """One rule."""

    subject: Rule | str
    """The rule of iptables; text for a rule of nft or a line that could not be read."""

    source: Ref
    effect: Effect
    conditions: tuple[Condition, ...]
    names: tuple[str, ...]
    """The match that each condition comes from."""

    chance: Fraction | None = None
    """Share of packets that its `statistic` matches let through, or None without one."""

    listed: frozenset[RecentList] = frozenset()
    """Lists of `-m recent` that it adds to."""

    lists_after: int | None = None
    """After how many conditions it does so, where others follow; None where all have to hold."""

    asked: frozenset[str] = frozenset()
    """Lists of `-m recent` that it asks for the client."""

    @property
    def place(self) -> str:
        """Where it stands, for a sentence: `nodes/a/iptables-save.txt:12`."""
        if isinstance(self.source, SourceRef):
            return f"{self.source.path}:{self.source.line}"
        return f"{self.source.path}, {self.subject if isinstance(self.subject, str) else ''}"

    def matches(self, packet: Packet) -> bool | None:
        """Tell whether a packet meets every condition, the chance aside; None where it may or may not."""
        return all_hold(self.conditions, packet)

    def lacks_only_list(self, packet: Packet) -> bool:
        """Tell whether all but the `recent` matches may hold: a known client would be treated otherwise."""
        pairs = zip(self.conditions, self.names, strict=True)
        return all(name == "-m recent" or test(packet) is not False for test, name in pairs)

    def undecided(self, packet: Packet) -> str:
        """Return the names of the matches that are not known for a packet."""
        pairs = zip(self.conditions, self.names, strict=True)
        return ", ".join(dict.fromkeys(name for test, name in pairs if test(packet) is None))


def all_hold(conditions: Sequence[Condition], packet: Packet) -> bool | None:
    """Tell whether a packet meets every condition; None where it may or may not."""
    answer: bool | None = True
    for condition in conditions:
        met = condition(packet)
        if met is False:
            return False
        if met is None:
            answer = None
    return answer


def compile_rule(
    rule: Rule, source: SourceRef, machine: Machine, chains: Container[str]
) -> CompiledRule:
    """Make a rule of a table with these chains ready to be executed on a host."""
    conditions: list[Condition] = []
    names: list[str] = []
    chance: Fraction | None = None
    lists_after: int | None = None
    for match in _with_implicit(rule.matches):
        share = chance_of(match) if match.name == "statistic" else None
        if share is not None:
            chance = share if chance is None else chance * share
            continue
        compiler = MATCHES.get(match.name)
        if match.name == "recent" and puts_on_list(match) and chance is None:
            lists_after = len(conditions)
        found = (unknown,) if compiler is None else compiler(match, machine)
        conditions += found
        names += [f"-m {match.name}" if match.name else "its own options"] * len(found)
    lists = [match for match in rule.matches if match.name == "recent"]
    return CompiledRule(
        subject=rule,
        source=source,
        effect=effect_of(rule, chains),
        conditions=tuple(conditions),
        names=tuple(names),
        chance=chance,
        lists_after=lists_after,
        listed=frozenset(list_of(m) for m in lists if puts_on_list(m)),
        asked=frozenset(list_of(m).name for m in lists if not puts_on_list(m)),
    )


def _with_implicit(matches: tuple[Match, ...]) -> list[Match]:
    """Return the matches with ports and flags under their protocol's, which iptables-restore need not be told."""
    explicit: list[Match] = []
    for match in matches:
        if match.name in _PROTOCOL_MATCHES:
            explicit.append(match)
            continue
        own = tuple(o for o in match.options if o.flag not in _PROTOCOL_OPTIONS)
        implied = tuple(o for o in match.options if o.flag in _PROTOCOL_OPTIONS)
        if own or not implied:
            explicit.append(Match(match.name, own))
        for option in implied:
            name = "icmp" if option.flag.startswith("--icmp") else "tcp"
            explicit.append(Match(name, (option,)))
    return explicit


def lost_rule(problem: ParseProblem) -> CompiledRule:
    """Stand in for a line that could not be read: it may match, and may do anything."""
    name = "a line that could not be read"
    return CompiledRule(
        subject=name,
        source=SourceRef(problem.path, problem.line),
        effect=Effect(Kind.UNKNOWN, name),
        conditions=(unknown,),
        names=(name,),
    )

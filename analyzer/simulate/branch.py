"""One of the ways that a packet may take, with all that has been decided on it so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from analyzer.model.node import Route
from analyzer.model.ruleset import Rule
from analyzer.model.source import Ref
from analyzer.simulate.packet import Connection, Hook, Packet
from analyzer.simulate.routing import Chosen

CERTAIN = Fraction(1)
_NO_CONNECTIONS: Mapping[str, tuple[Connection, ...]] = MappingProxyType({})


class Leg(Enum):
    """Which packet of the conversation is under way."""

    __hash__ = object.__hash__

    REQUEST = "request"
    REPLY = "reply"
    DATA = "data"
    """The client's next packet, after the connection was answered."""


class Step(msgspec.Struct, frozen=True):
    """Something that happened to the packet on its way."""

    host: str
    leg: Leg
    hook: Hook | None
    """None for what happens outside of the tables: routing, bridging."""

    table: str
    chain: str
    source: Ref | None
    subject: Rule | Route | str
    """The rule that matched, the route that was taken, or what else decided (`:FORWARD DROP`)."""

    effect: str
    """What it did: `jump KUBE-SERVICES`, `drop`, `to 10.244.1.6:9376`."""

    @property
    def text(self) -> str:
        """The rule or route as printed, or what else decided."""
        match self.subject:
            case Rule() as rule:
                return rule.text
            case Route() as route:
                return route_text(route)
            case str(text):
                return text


def route_text(route: Route) -> str:
    """Return a route in the words of `ip route`."""
    kind = "" if route.kind in {"", "unicast"} else f"{route.kind} "
    gateway = f" via {route.gateway}" if route.gateway else ""
    device = f" dev {route.device}" if route.device else ""
    return f"{kind}{route.destination}{gateway}{device}"


class Trail(NamedTuple):
    """Steps so far, newest first."""

    step: Step
    before: Trail | None

    def steps(self) -> tuple[Step, ...]:
        """Return the steps, oldest first."""
        return tuple(reversed(list(self._newest_first())))

    def _newest_first(self) -> Iterator[Step]:
        trail: Trail | None = self
        while trail is not None:
            yield trail.step
            trail = trail.before


class Question(msgspec.Struct, frozen=True, eq=False):
    """Something that the bundle does not tell and that a packet's way depends on."""

    text: str
    """What is not known: `-m limit of nodes/a/iptables-save.txt:12`."""

    source: Ref | None = None


class Supposition(NamedTuple):
    """One of the two answers to a question, taken for granted on a branch."""

    question: Question
    answer: bool


class Weight(Enum):
    """How much an outcome is worth that rests on an assumption."""

    __hash__ = object.__hash__

    USUAL = "usual"
    """It holds in every cluster that works."""

    BEYOND = "beyond"
    """Nothing in the bundle can show it: it is about what lies outside of the nodes, or in a client's past."""

    DECISIVE = "decisive"
    """A file that would show it is missing, and the outcome proves nothing."""


class Assumption(NamedTuple):
    """Something that was taken for granted, mostly because a file is missing."""

    text: str
    weight: Weight


class Branch(msgspec.Struct, frozen=True):
    """One way of the packet."""

    packet: Packet
    leg: Leg = Leg.REQUEST
    chance: Fraction = CERTAIN
    """Probability of this way, given its suppositions."""

    suppositions: tuple[Supposition, ...] = ()
    trail: Trail | None = None
    connections: Mapping[str, tuple[Connection, ...]] = _NO_CONNECTIONS
    """Conntrack entries by host."""

    order: Mapping[str, bool] = MappingProxyType({})
    """By host with two sets of tables: True where they are consulted in the order in which they are listed."""

    assumed: frozenset[Assumption] = frozenset()

    next_hop: int | None = None
    """Gateway that the packet leaves to, or None where it leaves to its destination."""

    chosen: Chosen | None = None
    """How a packet that the host itself sends was routed last."""

    visits: int = 0
    """Hosts passed so far, to end loops."""

    def stepped(self, step: Step) -> Branch:
        """Return the branch after a step."""
        return msgspec.structs.replace(self, trail=Trail(step, self.trail))

    def assuming(
        self, text: str, weight: Weight = Weight.USUAL, *, in_place_of: str = ""
    ) -> Branch:
        """Return the branch with something taken for granted, perhaps in place of something else."""
        taken = Assumption(text, weight)
        kept = frozenset(a for a in self.assumed if a.text != in_place_of)
        if taken in kept:
            return self
        return msgspec.structs.replace(self, assumed=kept | {taken})


class Fate(Enum):
    """How a packet's way ends on a host, where it does not leave it."""

    DROPPED = "dropped"
    REJECTED = "rejected"
    UNROUTABLE = "unroutable"
    INCONCLUSIVE = "inconclusive"


class Cause(Enum):
    """What sort of thing ended a packet's way."""

    RULE = "rule"
    POLICY = "policy"
    FORWARDING = "forwarding"
    """ip_forward is off."""

    HAIRPIN = "hairpin"
    """It would have to leave a bridge by the port it came in."""

    BRIDGE_BYPASS = "bridge bypass"
    """It crosses a bridge without passing iptables."""

    REVERSE_PATH = "reverse path"
    MARTIAN = "martian"
    NO_ROUTE = "no route"
    NO_SUCH_ADDRESS = "no such address"
    NO_LISTENER = "no listener"
    OTHER_WAY = "other way"
    """The answer does not come back through the host that translated the connection."""

    LOOP = "loop"
    UNKNOWN = "unknown"


class Ending(NamedTuple):
    """The end of a packet's way short of its destination."""

    branch: Branch
    fate: Fate
    cause: Cause
    reason: str
    """Why, in the user's words; the last step of the branch has the line."""


class Departure(NamedTuple):
    """A packet that leaves a host."""

    branch: Branch
    device: str | None
    target: int
    """Next hop: the gateway, or the destination itself."""

    by_gateway: bool


class Delivered(NamedTuple):
    """A packet that has reached a host itself."""

    branch: Branch


Way = Branch | Ending | Departure | Delivered
"""A branch that goes on, or how it went on."""

Stage = Callable[[Branch], Sequence[Way]]


def through(ways: Sequence[Way], *stages: Stage) -> Sequence[Way]:
    """Send every branch through the stages in turn; what goes on no more stays as it is, and in its place."""
    for stage in stages:
        following: list[Way] = []
        for way in ways:
            if isinstance(way, Branch):
                following += stage(way)
            else:
                following.append(way)
        ways = following
    return ways

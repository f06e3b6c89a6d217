"""What a trace says: where a connection ends, with what probability, and which line decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import msgspec

from analyzer.model.ruleset import Rule
from analyzer.simulate.branch import Cause, Step
from analyzer.simulate.names import Resolution

__all__ = [
    "Answer",
    "Backend",
    "Case",
    "Cause",
    "Outcome",
    "Trace",
    "Verdict",
    "combined",
    "settled",
]

replace = msgspec.structs.replace

_TRANSLATORS = frozenset({"DNAT", "REDIRECT", "NETMAP", "SNAT", "MASQUERADE"})


class Verdict(Enum):
    """How a connection attempt ends for the client."""

    DELIVERED = "delivered"
    UNANSWERED = "unanswered"
    """It reaches the backend, but no answer reaches the client as the connection it opened."""

    REJECTED = "rejected"
    DROPPED = "dropped"
    UNROUTABLE = "unroutable"
    EXTERNAL = "external"
    """It leaves the cluster untranslated."""

    UNRESOLVED = "unresolved"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Backend:
    """Whom a connection reaches."""

    address: str
    port: int | None
    """None where it is one of several."""

    pod: str
    """`namespace/name`; empty where none is known to be there."""

    node: str
    """Name of the node; empty outside of the cluster."""


class Outcome(msgspec.Struct, frozen=True):
    """One way that a connection may end."""

    verdict: Verdict
    probability: Fraction
    backend: Backend | None
    source: str
    """Address that the backend sees; empty where it reaches none."""

    path: tuple[Step, ...]
    """What happened, in order: request, then reply, then the client's next packet up to where it ended."""

    cause: Cause | None
    """What sort of thing ended it, or None where it was delivered."""

    reason: str
    """Why, in the user's words; empty where it was delivered."""

    assumed: tuple[str, ...]
    """What was taken for granted, mostly because a file is missing."""

    @property
    def decided_by(self) -> Step | None:
        """The step that ended the packet's way: a rule, a policy, a setting, a route; None where delivered."""
        return self.path[-1] if self.path and self.cause is not None else None

    @property
    def translations(self) -> tuple[Step, ...]:
        """The rules that translated the connection, in order."""
        return tuple(
            s for s in self.path if isinstance(s.subject, Rule) and s.subject.target in _TRANSLATORS
        )


class Trace(msgspec.Struct, frozen=True):
    """All outcomes of one connection attempt; their probabilities sum to 1."""

    outcomes: tuple[Outcome, ...]
    """Most probable first."""

    conclusive: bool
    """False where something that is not modelled or not in the bundle decides."""

    reason: str
    """Why it is not conclusive or not exact; empty where it is both."""

    exact: bool = True
    """False where something beyond the bundle decides as well: what is outside of the nodes, a client's past."""

    case: Case | None = None
    """The case that it is told from; None where it is told for itself."""

    client: str = ""
    """Address of the client in the outcomes of a case."""

    def probability(self, *verdicts: Verdict) -> Fraction:
        """Return the probability of any of these verdicts."""
        return sum((o.probability for o in self.outcomes if o.verdict in verdicts), Fraction(0))


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A trace that holds for several clients, but for the client's own address."""

    trace: Trace
    """As it was made for one of them."""

    client: str
    """The address of that one; empty where the trace holds for one client alone."""

    back: str
    """Effect of the steps that name it: where an answer is translated back."""

    named_in: frozenset[int]
    """Which outcomes have such steps."""

    @classmethod
    def of(cls, trace: Trace, client: str, back: str) -> Case:
        """Return the case of a trace that was made for a client with this address."""
        paths = enumerate(o.path for o in trace.outcomes)
        named = (n for n, path in paths if any(step.effect == back for step in path))
        return cls(trace, client, back, frozenset(named))

    def trace_for(self, client: str) -> Trace:
        """Return the trace with another client's address."""
        trace, own = self.trace, self.client
        outcomes = trace.outcomes
        if client != own:
            outcomes = tuple(
                replace(outcome, source=client) if outcome.source == own else outcome
                for outcome in outcomes
            )
            if self.named_in:
                outcomes = tuple(self._renamed(n, o, client) for n, o in enumerate(outcomes))
        return Trace(outcomes, trace.conclusive, trace.reason, trace.exact, self, client)

    def _renamed(self, number: int, outcome: Outcome, client: str) -> Outcome:
        if number not in self.named_in:
            return outcome
        effect = self.back.replace(self.client, client)
        steps = (replace(s, effect=effect) if s.effect == self.back else s for s in outcome.path)
        return replace(outcome, path=tuple(steps))

    def tells_only_the_address(self, name: str) -> bool:
        """Tell whether nothing else in it is about the client, of whom `name` is the name."""
        outcomes = self.trace.outcomes
        texts = [self.trace.reason, *(o.reason for o in outcomes)]
        texts += (text for o in outcomes for text in o.assumed)
        texts += (s.effect for o in outcomes for s in o.path if s.effect != self.back)
        texts += (o.backend.pod for o in outcomes if o.backend is not None)
        return not any(self.client in text or name in text for text in texts)


class Answer(msgspec.Struct, frozen=True):
    """A trace with what was asked, in the words in which it was asked."""

    source: str
    destination: str
    protocol: str
    """Upper case."""

    trace: Trace
    resolution: Resolution | None = None
    """How the destination's host name was resolved; None where it was an address or a Service."""


def combined(parts: Sequence[tuple[Fraction, Trace]]) -> Trace:
    """Return one trace of several, each with its share; the shares sum to 1."""
    outcomes = [
        replace(outcome, probability=outcome.probability * share)
        for share, trace in parts
        for outcome in trace.outcomes
    ]
    reasons = dict.fromkeys(t.reason for _, t in parts if t.reason)
    ordered = tuple(sorted(outcomes, key=lambda o: -o.probability))
    return Trace(
        ordered,
        all(t.conclusive for _, t in parts),
        "; ".join(reasons),
        all(t.exact for _, t in parts),
    )


def settled(verdict: Verdict, reason: str) -> Trace:
    """Return the trace of a connection that ends before any packet is sent."""
    outcome = Outcome(verdict, Fraction(1), None, "", (), None, reason, ())
    doubtful = verdict is Verdict.INCONCLUSIVE
    return Trace((outcome,), not doubtful, reason if doubtful else "")

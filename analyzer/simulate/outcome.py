"""What a trace says: where a connection ends, with what probability, and which line decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

from analyzer.model.ruleset import Rule
from analyzer.simulate.branch import Cause, Step
from analyzer.simulate.names import Resolution

__all__ = ["Answer", "Backend", "Cause", "Outcome", "Trace", "Verdict", "combined", "settled"]

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


@dataclass(frozen=True, slots=True)
class Outcome:
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


@dataclass(frozen=True, slots=True)
class Trace:
    """All outcomes of one connection attempt; their probabilities sum to 1."""

    outcomes: tuple[Outcome, ...]
    """Most probable first."""

    conclusive: bool
    """False where something that is not modelled or not in the bundle decides."""

    reason: str
    """Why it is not conclusive or not exact; empty where it is both."""

    exact: bool = True
    """False where something beyond the bundle decides as well: what is outside of the nodes, a client's past."""

    def probability(self, *verdicts: Verdict) -> Fraction:
        """Return the probability of any of these verdicts."""
        return sum((o.probability for o in self.outcomes if o.verdict in verdicts), Fraction(0))


@dataclass(frozen=True, slots=True)
class Answer:
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

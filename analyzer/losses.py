"""What is lost of connections to Services, and which rule, policy or setting decided it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from analyzer.connections import Attempt
from analyzer.model.forwarding import Endpoint, ServicePortName
from analyzer.model.ruleset import Rule
from analyzer.simulate.branch import Step
from analyzer.simulate.outcome import Cause, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Loss:
    """A share of connections to a Service port that does not reach its endpoints."""

    service_port: ServicePortName
    origin: str
    """Who connected, such as `a pod on node-a`."""

    destination: str
    """Such as `10.96.0.10:53/UDP`."""

    verdict: Verdict
    cause: Cause | None
    step: Step
    """What decided it."""

    probability: Fraction
    captured_by: Step | None = None
    """The rule of another program that translated the connection first."""

    endpoint: str = ""
    """Where it was translated to: `10.244.1.6:9376`; empty where it was lost before."""


@dataclass(frozen=True, slots=True)
class Reachability:
    """What came of all connections."""

    losses: Mapping[str, tuple[Loss, ...]]
    """By the host that decided."""

    inconclusive: Mapping[str, str]
    """Why nothing can be said of any connection, by the node that it started from."""

    left_out: int
    """Number of connections that were not followed because there were too many."""


def losses(attempt: Attempt, outcomes: Sequence[Outcome]) -> Iterator[Loss]:
    """Yield what is lost of a connection that was followed."""
    entry = attempt.entry
    if entry.service_port is None:
        return
    for outcome in outcomes:
        captor = _captor(outcome, entry.allowed_endpoints)
        step = captor or _decisive(outcome)
        if step is None or (captor is None and not is_lost(outcome)):
            continue
        yield Loss(
            service_port=entry.service_port,
            origin=attempt.told,
            destination=attempt.destination,
            verdict=outcome.verdict,
            cause=outcome.cause,
            step=step,
            probability=outcome.probability,
            captured_by=captor,
            endpoint=endpoint_of(outcome),
        )


def endpoint_of(outcome: Outcome) -> str:
    """Return the address and port that the last rule which translated the destination gave."""
    chosen = (s.effect.partition(": to ")[2] for s in outcome.translations)
    return next((text.partition(", ")[0] for text in reversed(list(chosen)) if text), "")


def is_lost(outcome: Outcome) -> bool:
    """Tell whether a connection does not get an answer."""
    return outcome.verdict not in {Verdict.DELIVERED, Verdict.INCONCLUSIVE}


def _captor(outcome: Outcome, allowed: frozenset[Endpoint]) -> Step | None:
    """Return the rule of another program that translated the connection before kube-proxy's rules could."""
    first = next(iter(outcome.translations), None)
    if first is None or first.chain.startswith("KUBE-"):
        return None
    backend = outcome.backend
    if backend is not None and any(e.address == backend.address for e in allowed):
        return None
    is_destination = isinstance(first.subject, Rule) and first.subject.target in {
        "DNAT",
        "REDIRECT",
        "NETMAP",
    }
    return first if is_destination else None


def _decisive(outcome: Outcome) -> Step | None:
    """Return the step that ended it; for what leaves untranslated, the rule that let it pass."""
    if outcome.verdict is Verdict.EXTERNAL or outcome.cause in {
        None,
        Cause.NO_SUCH_ADDRESS,
        Cause.NO_ROUTE,
    }:
        passed = (
            s
            for s in outcome.path
            if isinstance(s.subject, Rule)
            and s.table == "nat"
            and s.subject.target in {"ACCEPT", "RETURN"}
            and not s.chain.startswith("KUBE-")
        )
        return next(passed, None)
    return outcome.decided_by

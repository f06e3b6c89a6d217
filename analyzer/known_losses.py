"""What came of connections that were followed, for those that are equal to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from analyzer.connections import Attempt
from analyzer.equal_connections import EqualConnections, Likeness
from analyzer.losses import Loss, endpoint_of, is_lost
from analyzer.model.forwarding import Endpoint
from analyzer.simulate.outcome import Cause, Outcome, Verdict


class KnownLosses:
    """Learns from what was followed, and tells of what need not be."""

    def __init__(self, equal: EqualConnections) -> None:
        self._equal = equal
        self._whole: dict[_Case, tuple[Loss, ...]] = {}
        """Losses of connections with the same endpoints, or with any where they are lost before one is chosen."""

        self._towards: dict[_Case, Loss | None] = {}
        """How all connections to an endpoint are lost; None where none is."""

    def losses(self, attempt: Attempt) -> list[Loss] | None:
        """Return what is lost of a connection, or None where none that is equal has been followed."""
        site, (frontend, endpoints) = attempt.site, self._likeness(attempt)
        for case in (_Case(site, frontend), _Case(site, frontend, _mix(endpoints))):
            if case in self._whole:
                return [_as_lost(attempt, loss, loss.probability) for loss in self._whole[case]]
        lost: list[Loss] = []
        for like in endpoints.values():
            case = _Case(site, frontend, like)
            if case not in self._towards:
                return None
            found = self._towards[case]
            if found is not None:
                lost.append(_as_lost(attempt, found, Fraction(1, len(endpoints))))
        return lost

    def learn(self, attempt: Attempt, outcomes: Sequence[Outcome], lost: Sequence[Loss]) -> None:
        """Keep what came of a connection that was followed, where it is not for the rules of its Service alone."""
        site, (frontend, endpoints) = attempt.site, self._likeness(attempt)
        untranslated = sum(is_lost(outcome) and not endpoint_of(outcome) for outcome in outcomes)
        explained = sum(not loss.endpoint for loss in lost)
        if untranslated > explained or any(_of_one_service(loss) for loss in lost):
            return
        if lost and len(lost) == len(outcomes) and not any(loss.endpoint for loss in lost):
            self._whole[_Case(site, frontend)] = tuple(lost)
            return
        reached = {endpoint_of(outcome) for outcome in outcomes}
        unknown = any(outcome.verdict is Verdict.INCONCLUSIVE for outcome in outcomes)
        towards = None if unknown else _by_likeness(lost, endpoints, reached)
        if towards is None:
            self._whole[_Case(site, frontend, _mix(endpoints))] = tuple(lost)
        else:
            self._towards |= {_Case(site, frontend, like): x for like, x in towards.items()}

    def _likeness(self, attempt: Attempt) -> Likeness:
        return self._equal.likeness(attempt.client, attempt.entry, attempt.query.address)


class _Case(NamedTuple):
    """Connections from a site that are equal."""

    site: str
    frontend: int
    endpoints: int | frozenset[tuple[int, int]] | None = None
    """Likeness of one of the endpoints, or how many of each there are; None for any."""


def _mix(endpoints: Mapping[Endpoint, int]) -> frozenset[tuple[int, int]]:
    return frozenset(Counter(endpoints.values()).items())


def _of_one_service(loss: Loss) -> bool:
    """Tell whether the rules of one Service decided, or one of its endpoints, where nothing listens."""
    return loss.cause is Cause.NO_LISTENER or loss.step.chain.startswith(_OF_ONE_SERVICE)


def _by_likeness(
    lost: Sequence[Loss], endpoints: Mapping[Endpoint, int], reached: Container[str]
) -> Mapping[int, Loss | None] | None:
    """Return how all connections to endpoints of each likeness are lost, or None where it is not so plain."""
    if len(lost) == 1 and lost[0].probability == 1:
        return dict.fromkeys(endpoints.values(), lost[0])
    texts = {str(endpoint): like for endpoint, like in endpoints.items()}
    found = {texts[loss.endpoint]: loss for loss in lost if loss.endpoint in texts}
    several = Counter(endpoints.values())
    plain = len(found) == len(lost) and all(
        abs(loss.probability - Fraction(several[like], len(endpoints))) < _ROUNDING
        for like, loss in found.items()
    )
    seen = {like for text, like in texts.items() if text in reached}
    return {like: found.get(like) for like in seen} if plain else None


_ROUNDING = Fraction(1, 1000)
"""kube-proxy writes the share of an endpoint with ten digits, and up to 1.16 with five."""

_OF_ONE_SERVICE = (
    "KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-",
    "KUBE-XLB-", "KUBE-EXT-", "KUBE-FW-",
)  # fmt: skip
"""Chains of kube-proxy with rules for a single Service."""


def _as_lost(attempt: Attempt, loss: Loss, share: Fraction) -> Loss:
    """Return the loss of an equal connection, or of a share of it."""
    assert attempt.entry.service_port is not None
    return replace(
        loss,
        service_port=attempt.entry.service_port,
        origin=attempt.told,
        destination=attempt.destination,
        probability=share,
    )

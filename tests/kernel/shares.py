"""Whether outcomes come as often as predicted: a chi-square test over all packets that may end in several ways."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import sqrt

from tests.kernel.differential import Comparison

_WIDTH = 0.05
_LEAST_VARIANCE = 5.0
"""A group with less has too few packets for a normal distribution."""

_ONE_IN_A_MILLION = 4.753
"""Standard deviations that a normal variable exceeds once in a million runs."""


@dataclass(slots=True)
class _Group:
    """Packets whose likeliest outcome was given about the same chance."""

    packets: int = 0
    expected: float = 0
    variance: float = 0
    seen: int = 0


@dataclass(slots=True)
class Shares:
    """How often the likeliest outcome was seen, by the chance that it was given."""

    _groups: dict[int, _Group] = field(default_factory=lambda: defaultdict(_Group))

    def add(self, comparison: Comparison) -> None:
        """Count a packet that may end in several ways which can be told apart."""
        outcomes = comparison.outcomes
        if comparison.inconclusive or comparison.by_turns or any(not o.exact for o in outcomes):
            return
        chances: dict[tuple[object, ...], float] = defaultdict(float)
        for outcome in outcomes:
            chances[outcome.key] += outcome.chance
        total = sum(chances.values())
        likeliest, chance = max(chances.items(), key=lambda item: item[1])
        share = chance / total
        if len(chances) == 1 or share == 1:
            return
        group = self._groups[int(share / _WIDTH)]
        group.packets += 1
        group.expected += share
        group.variance += share * (1 - share)
        group.seen += any(o.fits(comparison.seen) for o in outcomes if o.key == likeliest)

    @property
    def distance(self) -> float:
        """Chi-square of all groups."""
        return sum((g.seen - g.expected) ** 2 / g.variance for g in self._large)

    @property
    def limit(self) -> float:
        """Chi-square that right predictions exceed once in a million runs (Wilson and Hilferty)."""
        degrees = len(self._large)
        if not degrees:
            return 0.0
        spread = 2 / (9 * degrees)
        return float(degrees * (1 - spread + _ONE_IN_A_MILLION * sqrt(spread)) ** 3)

    @property
    def fit(self) -> bool:
        return self.distance <= self.limit

    @property
    def _large(self) -> list[_Group]:
        return [g for g in self._groups.values() if g.variance >= _LEAST_VARIANCE]

    def __str__(self) -> str:
        packets = sum(g.packets for g in self._large)
        return (
            f"shares of {packets} packets with several outcomes: chi-square {self.distance:.1f} "
            f"with {len(self._large)} degrees of freedom (at most {self.limit:.1f})"
        )

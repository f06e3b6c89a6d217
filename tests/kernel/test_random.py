"""A bounded differential run with fixed seeds; `svcbundle` must never be sure of what the kernel does not do."""

from __future__ import annotations

from collections import Counter

from tests.kernel.differential import PROBES, compare
from tests.kernel.frames import Turn
from tests.kernel.lab import KernelLab, Probe
from tests.kernel.palette import palette_of
from tests.kernel.predict import Predictor

_RULESETS = 40
_PACKETS = 900
_LEAST_LIKELY = 27.6
"""Chi-square of three shares that a right prediction exceeds once in a million runs."""

_SHARES = """\
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -m statistic --mode random --probability 0.2 -j DNAT --to-destination 10.2.0.2
-A PREROUTING -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.2.0.3
-A PREROUTING -j DNAT --to-destination 10.2.0.9
COMMIT
"""


def test_agrees_with_the_kernel_on_random_rulesets(lab: KernelLab) -> None:
    seeds = range(1, 1 + _RULESETS)
    found = [c for seed in seeds for c in compare(lab, seed, palette_of(seed))]
    assert sum(c.turn is Turn.REQUEST for c in found) == _RULESETS * PROBES
    assert {c.turn for c in found} == set(Turn)
    wrong = [str(c) for c in found if c.verdict == "disagree"]
    assert not wrong, "\n".join(wrong)
    assert sum(c.inconclusive for c in found) <= 0.02 * len(found)


def test_shares_are_those_of_the_kernel(lab: KernelLab) -> None:
    lab.reset()
    lab.load(_SHARES)
    predictor = Predictor(lab.told())
    shares = {o.destination: o.chance for o in predictor.outcomes(_probe(lab))}
    assert len(shares) == 3
    seen = Counter(lab.send(_probe(lab)).destination for _ in range(_PACKETS))
    assert seen.keys() <= shares.keys()
    distance = sum((seen[d] - _PACKETS * p) ** 2 / (_PACKETS * p) for d, p in shares.items())
    assert distance < _LEAST_LIKELY, seen


def _probe(lab: KernelLab) -> Probe:
    return Probe("a", "10.1.0.2", "10.96.0.1", 80, "tcp", lab.new_port())

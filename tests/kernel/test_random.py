"""A bounded differential run with fixed seeds; `svcbundle` must never be sure of what the kernel does not do."""

from __future__ import annotations

from tests.kernel.differential import PROBES, compare
from tests.kernel.lab import KernelLab

_RULESETS = 30


def test_agrees_with_the_kernel_on_random_rulesets(lab: KernelLab) -> None:
    found = list(compare(lab, range(1, 1 + _RULESETS)))
    assert len(found) == _RULESETS * PROBES
    wrong = [str(c) for c in found if not c.inconclusive and not c.agrees]
    assert not wrong, "\n".join(wrong)
    assert sum(c.inconclusive for c in found) <= 0.02 * len(found)

"""Hand-written rulesets, one for each match and target: the simulator must say what the kernel does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzer.model.ruleset import Family
from tests.kernel.cases import DATA, Case, cases
from tests.kernel.differential import converse
from tests.kernel.frames import Turn
from tests.kernel.lab import KernelLab
from tests.kernel.predict import Predictor


@pytest.mark.parametrize("flavour", ["nft", "legacy"])
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_says_what_the_kernel_does(lab: KernelLab, case: Case, flavour: str) -> None:
    _compare(lab, case, flavour, Family.IPV4)


@pytest.mark.parametrize("flavour", ["nft", "legacy"])
@pytest.mark.parametrize("case", cases("kernel_cases_v6.txt"), ids=lambda case: case.name)
def test_says_what_the_kernel_does_with_ipv6(lab: KernelLab, case: Case, flavour: str) -> None:
    _compare(lab, case, flavour, Family.IPV6)


def _compare(lab: KernelLab, case: Case, flavour: str, family: Family) -> None:
    lab.reset()
    lab.set_sysctls(case.sysctls)
    lab.hairpin("hairpin" in case.flags)
    sets = (DATA / "ipsets.txt").read_text() if "sets" in case.flags else ""
    lab.load(case.text, flavour, family, sets)
    with lab.routing(case.routing):
        host = lab.told(flavour, family)
        assert [p for dump in host.rulesets[family] for p in dump.problems] == []
        predictor = Predictor(host)
        found = [
            comparison
            for probe in case.probes
            for comparison in converse(lab, predictor, replace(probe, source_port=lab.new_port()))
        ]
    expected = "inconclusive" if "unknown" in case.flags else "agree"
    assert [str(c) for c in found if c.verdict != expected] == []
    for comparison in found:
        if comparison.turn is Turn.REQUEST and not comparison.inconclusive:
            assert sum(o.chance for o in comparison.outcomes) == pytest.approx(1)

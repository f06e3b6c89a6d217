"""Hand-written rulesets, one for each match and target: the simulator must say what the kernel does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzer.model.ruleset import Family
from tests.kernel.cases import DATA, Case, cases
from tests.kernel.lab import KernelLab, Observed
from tests.kernel.predict import Predicted, Predictor


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
    host = lab.told(flavour, family)
    assert [p for dump in host.rulesets[family] for p in dump.problems] == []
    predictor = Predictor(host)
    wrong = []
    for probe in case.probes:
        sent = replace(probe, source_port=lab.new_port())
        outcomes = predictor.outcomes(sent)
        seen = lab.send(sent)
        if not _agree(outcomes, seen, unknown="unknown" in case.flags):
            wrong.append(f"{sent}: {seen}, predicted {outcomes}")
    assert not wrong, "\n".join(wrong)


def _agree(outcomes: list[Predicted], seen: Observed, *, unknown: bool) -> bool:
    if unknown:
        return any(o.kind is None for o in outcomes)
    assert sum(o.chance for o in outcomes) == pytest.approx(1)
    return any(o.fits(seen) for o in outcomes)

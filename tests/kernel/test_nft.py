"""Hand-written rulesets of nft: the simulator must say what the kernel does."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from tests.kernel.cases import Case, cases
from tests.kernel.differential import converse
from tests.kernel.lab import KernelLab
from tests.kernel.predict import Predictor


@pytest.mark.skipif(
    shutil.which("nft") is None, reason="no nft: its rulesets are not run in the kernel"
)
@pytest.mark.parametrize("case", cases("nft_cases.txt"), ids=lambda case: case.name)
def test_says_what_the_kernel_does(lab: KernelLab, case: Case) -> None:
    lab.reset()
    lab.hairpin(False)
    lab.load_nft("\n".join(case.rules))
    try:
        with lab.routing(case.routing):
            predictor = Predictor(lab.told())
            found = [
                comparison
                for probe in case.probes
                for comparison in converse(
                    lab, predictor, replace(probe, source_port=lab.new_port())
                )
            ]
        expected = "inconclusive" if "unknown" in case.flags else "agree"
        assert [str(c) for c in found if c.verdict != expected] == []
    finally:
        lab.drop_nft()

"""Hand-written rulesets of nft: the simulator must say what the kernel does."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from tests.kernel.cases import Case, cases
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
        predictor = Predictor(lab.told())
        wrong = []
        for probe in case.probes:
            sent = replace(probe, source_port=lab.new_port())
            outcomes = predictor.outcomes(sent)
            seen = lab.send(sent)
            unknown = any(o.kind is None for o in outcomes)
            if unknown != ("unknown" in case.flags) or not (
                unknown or any(o.fits(seen) for o in outcomes)
            ):
                wrong.append(f"{sent}: {seen}, predicted {outcomes}")
        assert not wrong, "\n".join(wrong)
    finally:
        lab.drop_nft()

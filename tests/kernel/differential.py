"""Simulator and kernel on the same random rulesets and packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.kernel.cases import DATA
from tests.kernel.generator import Generator
from tests.kernel.lab import KernelLab, Observed, Probe
from tests.kernel.predict import Predicted, Predictor

PROBES = 16
"""Packets for each ruleset."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One packet, as predicted and as seen."""

    seed: int
    ruleset: str
    probe: Probe
    outcomes: list[Predicted]
    seen: Observed

    @property
    def inconclusive(self) -> bool:
        return any(o.kind is None for o in self.outcomes)

    @property
    def agrees(self) -> bool:
        return any(o.fits(self.seen) for o in self.outcomes if o.chance)

    def __str__(self) -> str:
        predicted = "\n".join(f"    {o}" for o in self.outcomes)
        return f"seed {self.seed}: {self.probe}\n  seen {self.seen}\n  predicted\n{predicted}"


def compare(lab: KernelLab, seeds: range) -> Iterator[Comparison]:
    """Yield a comparison for each packet; every ruleset has its own seed and flavour."""
    sets = (DATA / "ipsets.txt").read_text()
    for seed in seeds:
        generator = Generator(seed)
        flavour = "legacy" if seed % 3 == 0 else "nft"
        ruleset = generator.ruleset()
        lab.reset()
        lab.set_sysctls({"net.bridge.bridge-nf-call-iptables": "0" if seed % 5 == 0 else "1"})
        lab.hairpin(seed % 2 == 0)
        lab.load(ruleset, flavour, sets=sets)
        predictor = Predictor(lab.told(flavour))
        for _ in range(PROBES):
            probe = generator.probe(lab.new_port())
            outcomes = predictor.outcomes(probe)
            yield Comparison(seed, ruleset, probe, outcomes, lab.send(probe))

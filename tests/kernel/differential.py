"""Simulator and kernel on the same random rulesets and packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.kernel import frames
from tests.kernel.cases import DATA
from tests.kernel.frames import Turn
from tests.kernel.generator import Generator
from tests.kernel.lab import SERVED, KernelLab, Kind, Observed, Probe, answer_to
from tests.kernel.nft_generator import NftGenerator
from tests.kernel.palette import Palette
from tests.kernel.predict import Predicted, Predictor

PROBES = 16
"""Connections tried with each ruleset; an answer and the client's next packet follow where they can."""

_ARRIVED = frozenset({Kind.OUT, Kind.LOCAL})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One packet, as predicted and as seen."""

    seed: int
    turn: Turn
    probe: Probe
    outcomes: list[Predicted]
    seen: Observed
    by_turns: bool = False
    """True where rules count packets (`statistic --mode nth`): what happens next is not by chance."""

    @property
    def inconclusive(self) -> bool:
        return any(o.kind is None for o in self.outcomes)

    @property
    def fitting(self) -> list[Predicted]:
        return [o for o in self.outcomes if o.chance and o.fits(self.seen)]

    @property
    def verdict(self) -> str:
        """`agree`, `disagree` or `inconclusive`."""
        if self.inconclusive:
            return "inconclusive"
        return "agree" if self.fitting else "disagree"

    def __str__(self) -> str:
        predicted = "\n".join(f"    {o}" for o in self.outcomes)
        return f"seed {self.seed}: {self.turn.name} {self.probe}\n  seen {self.seen}\n  predicted\n{predicted}"


def compare(lab: KernelLab, seed: int, palette: Palette) -> Iterator[Comparison]:
    """Yield a comparison for each packet of a seed, which has a ruleset and surroundings of its own.

    Of four seeds two have rules of iptables-nft, one of iptables-legacy, and one of nft itself. Where a packet was
    expected but not seen, it is sent once more and waited for longer.
    """
    generator = Generator(seed, palette)
    flavour = "legacy" if seed % 4 == 1 else "nft"
    lab.reset()
    if seed % 4:
        ruleset = generator.ruleset()
        lab.load(ruleset, flavour, palette.family, (DATA / "ipsets.txt").read_text())
    else:
        ruleset = NftGenerator(seed, palette).ruleset()
        lab.load_nft(ruleset)
    surroundings = generator.surroundings()
    lab.set_sysctls(surroundings.sysctls)
    lab.hairpin(surroundings.hairpin)
    with lab.routing(surroundings.routing):
        predictor = Predictor(lab.told(flavour, palette.family))
        for _ in range(PROBES):
            probe = generator.probe(lab.new_port())
            if "-m recent" in ruleset:
                lab.forget_clients()
            found = list(converse(lab, predictor, probe, seed))
            if found[-1].verdict == "disagree" and found[-1].seen.kind is Kind.DROPPED:
                if "-m recent" in ruleset:
                    lab.forget_clients()
                with lab.patience():
                    again = replace(probe, source_port=lab.new_port())
                    found = list(converse(lab, predictor, again, seed))
            counted = "--mode nth" in ruleset
            yield from (replace(comparison, by_turns=counted) for comparison in found)


def converse(
    lab: KernelLab, predictor: Predictor, probe: Probe, seed: int = 0
) -> Iterator[Comparison]:
    """Open a connection, let whom it reaches answer, and let the client go on, for as long as both agree."""
    opened = Comparison(seed, Turn.REQUEST, probe, predictor.outcomes(probe), lab.send(probe))
    yield opened
    if not _goes_on(opened) or probe.flags != frames.SYN or _nobody_answers(opened.seen, probe):
        return
    answer = answer_to(opened.seen, probe)
    possible = [o for found in opened.fitting for o in predictor.answers(found, answer)]
    answered = Comparison(seed, Turn.REPLY, answer, possible, lab.answer(opened.seen, probe))
    yield answered
    at_client = answered.seen.side == ("" if probe.side == "host" else probe.side)
    if not _goes_on(answered) or not at_client or probe.protocol != "tcp":
        return
    if Kind.LOCAL in {opened.seen.kind, answered.seen.kind}:
        return  # TCP of the host has taken the connection for its own, or ended it
    further = [o for found in answered.fitting for o in predictor.further(found, probe)]
    yield Comparison(seed, Turn.DATA, probe, further, lab.go_on(probe))


def _goes_on(comparison: Comparison) -> bool:
    return comparison.verdict == "agree" and comparison.seen.kind in _ARRIVED


def _nobody_answers(seen: Observed, probe: Probe) -> bool:
    """Tell whether no host would answer: its own address, that of all routers of a network, no server."""
    if seen.kind is Kind.OUT:
        return seen.source == seen.destination
    if seen.destination.endswith("::"):
        return True
    return probe.protocol == "tcp" and seen.port not in SERVED

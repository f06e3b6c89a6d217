"""`python -m tests.kernel.soak PACKETS [FIRST_SEED]`: as many random packets as asked, and how often both agree.

Half of the rulesets are of IPv4, half of IPv6.

Exit status: 1 with a disagreement or wrong shares, 2 where the machine does not allow it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from itertools import count

from tests.kernel.differential import compare
from tests.kernel.lab import KernelLab
from tests.kernel.namespaces import why_impossible
from tests.kernel.palette import palette_of
from tests.kernel.shares import Shares


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.soak", description=__doc__)
    parser.add_argument("packets", type=int)
    parser.add_argument("first_seed", type=int, nargs="?", default=20_000)
    arguments = parser.parse_args()
    reason = why_impossible()
    if reason:
        sys.stdout.write(f"{reason}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the namespaces go
    lab = KernelLab()
    try:
        return _soak(lab, arguments.packets, arguments.first_seed)
    finally:
        lab.close()


def _soak(lab: KernelLab, packets: int, first_seed: int) -> int:
    found: Counter[str] = Counter()
    turns: Counter[str] = Counter()
    families: Counter[str] = Counter()
    shares = Shares()
    seed = first_seed
    for seed in count(first_seed):
        palette = palette_of(seed)
        for comparison in compare(lab, seed, palette):
            families[palette.family.value] += 1
            found[comparison.verdict] += 1
            turns[comparison.turn.name.lower()] += 1
            shares.add(comparison)
            if comparison.verdict == "disagree":
                sys.stdout.write(f"{comparison}\n")
        sys.stdout.flush()
        if found.total() >= packets:
            break
    sent = ", ".join(f"{number} {word}" for word, number in (families + turns).items())
    sys.stdout.write(f"{found.total()} packets ({sent}), seeds {first_seed}-{seed}\n")
    sys.stdout.write(f"{shares}\n")
    verdicts = ("agree", "disagree", "inconclusive")
    sys.stdout.write("  ".join(f"{verdict} {found[verdict]}" for verdict in verdicts) + "\n")
    return int(bool(found["disagree"]) or not shares.fit)


if __name__ == "__main__":
    sys.exit(main())

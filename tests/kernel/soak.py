"""`python -m tests.kernel.soak PACKETS [FIRST_SEED]`: as many random packets as asked, and how often both agree."""

from __future__ import annotations

import sys

from tests.kernel.differential import PROBES, compare
from tests.kernel.lab import KernelLab
from tests.kernel.namespaces import why_impossible


def main() -> int:
    packets = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    reason = why_impossible()
    if reason:
        sys.stdout.write(f"{reason}\n")
        return 2
    lab = KernelLab()
    agree = disagree = inconclusive = 0
    try:
        for comparison in compare(lab, range(first, first + -(-packets // PROBES))):
            if comparison.inconclusive:
                inconclusive += 1
            elif comparison.agrees:
                agree += 1
            else:
                disagree += 1
                sys.stdout.write(f"{comparison}\n")
    finally:
        lab.close()
    sys.stdout.write(f"agree {agree}  disagree {disagree}  inconclusive {inconclusive}\n")
    return 1 if disagree else 0


if __name__ == "__main__":
    sys.exit(main())

"""Score the diagnosis on the captures and compare with the score that the last commit recorded."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

RECORD = Path(__file__).with_name("score.txt")
SUMMARY = re.compile(r"cause (\d+)/(\d+)  false alarms (\d+)")


def main() -> int:
    """Run the scorer; return 1 when it found fewer causes, or more false alarms, than recorded."""
    shared = Path(sys.argv[1])
    tool = f"{sys.executable} -m analyzer"
    done = subprocess.run(  # noqa: S603 - our own command
        [
            sys.executable,
            shared / "tools/score.py",
            shared / "captures",
            "--no-trace",
            "--svcbundle",
            tool,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    found = SUMMARY.search(done.stdout)
    if found is None:
        print("the scorer gave no summary")
        return 1
    missed = int(found[2]) - int(found[1])
    allowed = RECORD.read_text(encoding="utf-8").split()
    limits = dict(zip(allowed[::2], map(int, allowed[1::2]), strict=True))
    fallen = missed > limits["missed"] or int(found[3]) > limits["false-alarms"]
    print(
        f"missed {missed} (recorded {limits['missed']}), false alarms {found[3]} (recorded {limits['false-alarms']})"
    )
    return int(fallen)


if __name__ == "__main__":
    sys.exit(main())

"""A program in kubectl's place that answers paths of the API from a file, one answer after the other."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """\
#!{python}
import json, pathlib, sys
place = pathlib.Path({place!r})
answers = json.loads((place / "answers.json").read_text())
asked = sys.argv[-1]
with (place / "asked").open("a") as file:
    file.write(asked + "\\n")
given = answers.get(asked, [["", "Error from server (NotFound): none"]])
count = (place / "asked").read_text().splitlines().count(asked)
output, error = given[min(count, len(given)) - 1]
sys.stdout.write(output)
sys.stderr.write(error)
sys.exit(1 if error else 0)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program prints; an error makes it fail."""

    output: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class FakeKubectl:
    """The program, and what it was asked."""

    path: Path

    @property
    def asked(self) -> list[str]:
        """The last argument of each call."""
        return (self.path.parent / "asked").read_text().splitlines()


def fake_kubectl(place: Path, answers: Mapping[str, Sequence[Answer]]) -> FakeKubectl:
    """Write a program that answers, by its last argument, the first answer first and the last for ever."""
    table = {asked: [[a.output, a.error] for a in given] for asked, given in answers.items()}
    (place / "answers.json").write_text(json.dumps(table))
    program = place / "kubectl"
    program.write_text(_PROGRAM.format(python=sys.executable, place=str(place)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return FakeKubectl(program)


def page(kind: str, *names: str, following: str = "") -> Answer:
    """Return a page of a list."""
    metadata = {"continue": following} if following else {}
    items = [{"metadata": {"name": name, "namespace": "shop"}} for name in names]
    return Answer(
        json.dumps(
            {"kind": f"{kind}List", "apiVersion": "v1", "metadata": metadata, "items": items}
        )
    )

"""What checks say on their samples is said through gettext: no English word is left in a pseudo language.

Left may be what stands in the bundle (names, reasons, quoted logs), what is typed, and the terms below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.checks import catalogue
from analyzer.examination import Examination, examine
from analyzer.load import load
from analyzer.model.forwarding import ServiceKey
from tests.language.pseudo import speaking_pseudo

CASES = sorted(path.parent for path in Path(__file__).parents[1].glob("checks/*/*/bundle"))
CHECKS = {check.slug: check for check in catalogue()}
_COMMAND = re.compile(
    r"\b(kubectl|conntrack|ip6?tables|nft|sysctl|ss|ip|bridge|curl|grep|ps|modprobe) .*"
)
_WORD = re.compile(r"(?<![\w./:=-])[A-Za-z][a-z]+(?![\w./:=-])")
_TERMS = {
    *("legacy", "nft", "filter", "mangle", "nat", "raw"),  # backends and tables
    *("iptables", "ipvs", "userspace", "nftables"),  # modes
    *("accept", "drop", "reject", "policy", "via", "dev"),  # what a rule or a route says
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_no_english_word_is_left(case: Path) -> None:
    with speaking_pseudo():
        said = list(_said(_run(case)))
    files = (f for f in case.rglob("*") if f.is_file() and f.name != "expected.txt")
    known = {w for path in files for w in re.findall(r"[A-Za-z]+", _text(path))} | _TERMS
    left = {w: text for text in said for w in _WORD.findall(_COMMAND.sub("", text))}
    assert not {w: text for w, text in left.items() if w not in known}


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _run(case: Path) -> Examination:
    with open_bundle([case / "bundle"]) as bundle:
        cluster = load(bundle)
        asked = case / "services.txt"
        if asked.exists():
            keys = (line.split("/") for line in asked.read_text().split())
            cluster.asked_services = tuple(ServiceKey(*key) for key in keys)
        return examine(cluster, [CHECKS[case.parent.name]], cluster.nodes.values(), lambda _: None)


def _said(examination: Examination) -> Iterator[str]:
    for _check, problem in examination.problems:
        yield from (problem.message, problem.remedy)
        yield from (evidence.note for evidence in problem.evidence)
    for gap in examination.not_evaluated:
        yield gap.reason

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from analyzer.findings import Quote
from analyzer.report.text import render_text
from analyzer.report.visible import HIDDEN, cells
from tests.report import factories as make
from tests.report.cases import CASES, hostile, node_without_hook, one_broken

SGR = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize("case", CASES)
def test_every_report_reads_as_it_did(case: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{case}.txt", render_text(CASES[case](), width=100, color=False))


@pytest.mark.parametrize("case", CASES)
def test_verbose_reports_read_as_they_did(case: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{case}.verbose.txt", render_text(CASES[case](), width=80, color=False, verbose=True))


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_no_text_of_the_bundle_controls_the_terminal(case: str, verbose: bool) -> None:
    text = render_text(CASES[case](), width=100, color=False, verbose=verbose)
    assert HIDDEN.search(text.replace("\n", "")) is None
    assert text.encode()


@pytest.mark.parametrize("case", CASES)
def test_colour_adds_nothing_but_colour(case: str) -> None:
    painted = render_text(CASES[case](), width=100, color=True)
    assert SGR.search(painted)
    assert SGR.sub("", painted) == render_text(CASES[case](), width=100, color=False)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("case", ["healthy", "node-without-hook", "nothing-known"])
def test_lines_fit_the_width(case: str, width: int) -> None:
    lines = render_text(CASES[case](), width=width, color=False, verbose=True).split("\n")
    assert [line for line in lines if cells(line) > width and len(line.split()) > 1] == []


def test_the_verdict_comes_first_and_causes_before_services() -> None:
    text = render_text(one_broken(), width=100, color=False)
    assert text.startswith("1 of 3 Services is broken, 1 could not be judged.\n")
    places = [text.index(part) for part in ("✗ Error", "not healthy", "Not evaluated", "Nodes")]
    assert places == sorted(places)


def test_consequences_are_folded_until_they_are_asked_for() -> None:
    folded = render_text(node_without_hook(), width=100, color=False)
    assert "Explains 4 further findings on shop/web-1, shop/web-2" in folded
    assert "shop/web-3 is not served on node-b" not in folded
    verbose = render_text(node_without_hook(), width=100, color=False, verbose=True)
    assert "shop/web-3 is not served on node-b" in verbose


def test_a_place_is_never_cut_and_a_long_line_is_shown_where_it_decides() -> None:
    found = make.Findings()
    path = f"nodes/{'n' * 60}/iptables-save.txt"
    rule = f"-A KUBE-SERVICES {'-m comment ' * 20}--dport 31337 {'-m comment ' * 20}"
    found.add(make.rules_hook_missing, "port 31337 is taken", (Quote(path, 12345, rule), ""))
    text = render_text(make.report(found), width=80, color=False)
    assert f"{path}:12345\n" in text
    (excerpt,) = (line for line in text.split("\n") if "--dport 31337" in line)
    assert cells(excerpt) <= 80
    assert excerpt.strip().startswith("…")
    assert excerpt.endswith("…")


def test_marks_line_up_below_wide_names() -> None:
    lines = render_text(hostile(), width=160, color=False).split("\n")
    matrix = lines[lines.index("Services that are not healthy") + 1 :]
    heads = cells(matrix[0][: matrix[0].index("ex")])
    marked = [line for line in matrix[1:20] if "✓" in line and "Marks" not in line]
    assert {cells(line[: line.index("✓")]) for line in marked} == {heads}


def test_many_findings_fit_the_screen_unless_all_are_asked_for() -> None:
    found = make.Findings()
    for number in range(300):
        found.add(make.selector_matches_no_pods, f"selector n={number} matches no pod")
    report = make.report(found)
    assert render_text(report, width=100, color=False).count("\n") < 80
    assert "… and 277 more (-v lists them)" in render_text(report, width=100, color=False)
    verbose = render_text(report, width=100, color=False, verbose=True)
    assert all(f"selector n={number} matches" in verbose for number in range(300))

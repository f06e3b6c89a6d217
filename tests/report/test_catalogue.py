from __future__ import annotations

from collections.abc import Callable

import pytest

from analyzer.report.catalogue import render_checks, render_explanation
from analyzer.report.visible import cells
from tests.report import factories as make


@pytest.mark.parametrize("width", [60, 100])
def test_the_catalogue_is_grouped_by_station(
    width: int, golden: Callable[[str, str], None]
) -> None:
    text = render_checks(make.CHECKS, width=width)
    golden(f"checks-{width}.txt", text)
    assert all(cells(line) <= width for line in text.split("\n"))


def test_an_empty_catalogue_is_no_error() -> None:
    assert render_checks((), width=80) == "\n"


@pytest.mark.parametrize("check", make.CHECKS, ids=lambda check: check.slug)
def test_a_check_is_explained(check: make.Check, golden: Callable[[str, str], None]) -> None:
    golden(f"explain-{check.slug}.txt", render_explanation(check, width=72))

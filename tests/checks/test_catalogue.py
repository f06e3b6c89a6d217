"""The catalogue as a whole: what no single check can hold."""

from __future__ import annotations

import pytest

from analyzer.check import Check
from analyzer.checks import catalogue

CHECKS = {check.slug: check for check in catalogue()}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_explains_itself(check: Check) -> None:
    assert check.summary.endswith("."), "the first sentence of its page"
    assert "## Why it matters" in check.documentation
    assert "## How to put it right" in check.documentation
    assert all(url.startswith("https://") for url in check.references)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_names_only_checks_that_exist_as_its_causes(check: Check) -> None:
    assert set(check.consequence_of) <= CHECKS.keys() - {check.slug}


def test_no_check_is_its_own_cause_over_others() -> None:
    settled: set[str] = set()
    waiting = dict(CHECKS)
    while waiting:
        free = {slug for slug, c in waiting.items() if set(c.consequence_of) <= settled}
        assert free, f"causes go round in a circle among {sorted(waiting)}"
        settled |= free
        waiting = {slug: c for slug, c in waiting.items() if slug not in free}


def test_a_check_stands_in_the_folder_of_its_station() -> None:
    for check in CHECKS.values():
        folder = check.probe.__module__.split(".")[-2].replace("_", "-")
        assert folder == check.station.value, check.slug

"""The catalogue as a whole: what no single check can hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzer.check import Check
from analyzer.checks import catalogue, described

CHECKS = {check.slug: check for check in catalogue()}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_explains_itself(check: Check) -> None:
    assert check.summary.endswith("."), "the first sentence of its page"
    assert "## Why it matters" in check.documentation
    assert "## How to put it right" in check.documentation
    assert all(url.startswith("https://") for url in check.references)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_is_described_as_it_is_defined(check: Check) -> None:
    found = described(check.slug)
    assert found is not None
    assert replace(found, probe=check.probe) == check
    assert found.probe.__module__ == check.probe.__module__


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "-",
        "no-such-check",
        "endpoints_stale",
        "--init--",
        "__init__",
        "../load",
        "endpoints.endpoints-stale",
    ],
)
def test_what_is_no_slug_describes_nothing(slug: str) -> None:
    assert described(slug) is None


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

"""The page of a difference as its readers use it: on every screen, on paper, by keyboard, for everybody."""

from __future__ import annotations

import pytest

from tests.report.browser.conftest import DIFFERENCES, Opener, too_wide, violations


@pytest.mark.parametrize("name", DIFFERENCES)
def test_axe_finds_nothing(opened: Opener, name: str) -> None:
    page = opened(name).page
    for width, scheme in ((390, "dark"), (1280, "light"), (1920, "dark")):
        assert violations(page, width, scheme) == []


@pytest.mark.parametrize("name", DIFFERENCES)
def test_nothing_is_wider_than_the_screen_or_the_paper(opened: Opener, name: str) -> None:
    assert too_wide(opened(name).page) == []


def test_what_is_on_both_sides_is_folded_on_screens_and_open_on_paper(opened: Opener) -> None:
    page = opened("diff").page
    same = page.locator("details.keep .changes li").first
    assert same.is_hidden()
    page.locator("details.keep summary").focus()
    page.keyboard.press("Enter")
    assert same.is_visible()
    page.keyboard.press("Enter")
    page.emulate_media(media="print")
    assert same.is_visible()


def test_every_part_is_reached_by_its_link(opened: Opener) -> None:
    page = opened("diff").page
    for link in page.locator("nav a").all():
        link.click()
        assert page.locator(":target h2").is_visible()

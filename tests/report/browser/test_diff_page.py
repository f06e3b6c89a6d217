"""The page of a difference as its readers use it: on every screen, on paper, by keyboard, for everybody."""

from __future__ import annotations

import pytest

from tests.report.browser.conftest import DIFFERENCES, Opener


@pytest.mark.parametrize("name", DIFFERENCES)
def test_axe_finds_nothing(opened: Opener, name: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page = opened(name).page
    for width, scheme in ((390, "dark"), (1280, "light"), (1920, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found] == []


@pytest.mark.parametrize("name", DIFFERENCES)
def test_nothing_is_wider_than_the_screen_or_the_paper(opened: Opener, name: str) -> None:
    page = opened(name).page
    beyond = "document.scrollingElement.scrollWidth > document.documentElement.clientWidth"
    for width in (320, 390, 800, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert not page.evaluate(beyond), width
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 900})  # A4 without its margins
    assert not page.evaluate(beyond)


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

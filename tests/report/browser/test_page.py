"""The page as its readers use it: click, find, sort, keyboard, themes, print, without script, and for everybody."""

from __future__ import annotations

import re

import pytest

from tests.report.browser.conftest import REPORTS, Opener, too_wide, violations

GROUND = "getComputedStyle(document.body).backgroundColor"


# --- for everybody ---


@pytest.mark.parametrize("name", sorted(REPORTS.keys() - {"ten-thousand"}))
def test_axe_finds_nothing(opened: Opener, name: str) -> None:
    page = opened(name).page
    for width, scheme in ((1280, "light"), (390, "dark")):
        assert violations(page, width, scheme) == []


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_wider_than_the_screen_or_the_paper(opened: Opener, name: str) -> None:
    assert too_wide(opened(name).page) == []


def test_it_prints(opened: Opener) -> None:
    pdf = opened("one-broken").page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) > 1


def test_on_paper_numbers_are_whole_nodes_are_legible_and_what_is_folded_is_said(
    opened: Opener,
) -> None:
    page = opened("chinese").page
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 900})
    lines = """cells => Math.max(...cells.map(cell => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return range.getClientRects().length;
    }))"""
    assert page.locator("#bundle tbody .number").evaluate_all(lines) == 1
    widths = "cells => Math.min(...cells.map(c => c.getBoundingClientRect().width))"
    assert page.locator(".list.nodes td").evaluate_all(widths) > 150
    assert page.locator(".healthy-paths .paper").is_visible()
    assert page.locator("#bundle table").is_visible()
    assert page.locator(".reasoning ol").first.is_visible()
    page.emulate_media(media="screen")
    assert page.locator(".healthy-paths .paper").is_hidden()


def test_words_of_a_table_are_not_broken(opened: Opener) -> None:
    page = opened("one-broken").page
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        lines = "cells => Math.max(...cells.map(c => c.getClientRects()[0].height))"
        assert (
            page.locator('.list.nodes td[data-label="Mode"]').evaluate_all(
                "cells => Math.min(...cells.map(c => c.getBoundingClientRect().width))"
            )
            > 80
        )
        assert page.locator(".stations thead th").evaluate_all(lines) < 50


@pytest.mark.parametrize("name", REPORTS)
def test_everything_is_there_without_script(opened: Opener, name: str) -> None:
    tab = opened(name, java_script_enabled=False)
    page = tab.page
    assert page.locator("h1").is_visible()
    assert page.locator(".finding").first.is_visible()
    assert page.locator("svg.wide").first.is_visible()
    assert page.locator("#filter").is_hidden()
    assert page.locator(".path ol.marked a").first.is_visible()


def test_the_page_says_which_language_it_speaks(opened: Opener) -> None:
    assert opened("one-broken").page.locator("html").get_attribute("lang") == "en"
    assert str(opened("chinese").page.locator("html").get_attribute("lang")).startswith("zh")


# --- links ---


def test_a_cell_leads_to_its_finding(opened: Opener) -> None:
    page = opened("one-broken").page
    page.locator(".stations tr.broken td.f a").last.click()
    assert page.url.partition("#")[2].startswith("selector-matches-no-pods/default/hostnames")
    assert page.locator(".finding:target h4").is_visible()


def test_a_service_leads_to_its_picture_and_the_picture_to_the_finding(opened: Opener) -> None:
    page = opened("one-broken").page
    page.locator(".stations a.name", has_text="default/hostnames").click()
    picture = page.locator(".path:target")
    assert picture.locator("svg.wide").is_visible()
    assert picture.locator("svg.wide .badge-number").first.text_content() == "1"
    picture.locator("ol.marked a").first.click()
    assert page.locator(".finding:target").is_visible()


def test_a_node_without_the_jump_differs_from_the_others(opened: Opener) -> None:
    page = opened("node-without-rules").page
    head = page.locator(".by-node thead th").nth(1).text_content()
    assert head
    assert page.locator(".by-node td.f a").count() > 1
    page.locator(".by-node td.f a").first.click()
    assert page.locator(".finding:target").is_visible()
    assert page.locator(".path svg.wide g.bad").first.is_visible()


def test_a_link_into_what_is_folded_opens_it(opened: Opener) -> None:
    page = opened("ten-thousand", "#s/some-namespace/some-service-09999").page
    row = page.locator('[id="s/some-namespace/some-service-09999"]')
    assert row.is_visible()
    page.evaluate("location.hash = '#selector-matches-no-pods/some-namespace/some-service-00150'")
    page.wait_for_function("document.querySelector('.more-findings').open")
    assert page.locator(".finding:target").is_visible()


@pytest.mark.parametrize("name", ["one-broken", "node-without-rules", "hostile"])
def test_every_link_within_the_page_has_its_end(opened: Opener, name: str) -> None:
    page = opened(name).page
    lost = page.evaluate(
        """() => [...document.querySelectorAll('a[href^="#"]')].map(a => a.hash.slice(1))
            .filter(id => !document.getElementById(decodeURIComponent(id)))"""
    )
    assert lost == []


# --- find and sort ---


def shown(page: object) -> list[str]:
    return page.evaluate(  # type: ignore[attr-defined, no-any-return]
        """() => [...document.querySelectorAll('.stations tbody tr')].filter(row => !row.hidden)
            .map(row => row.id.slice(2))"""
    )


def test_services_are_found_by_text_namespace_verdict_and_check(opened: Opener) -> None:
    page = opened("one-broken").page
    every = shown(page)
    page.get_by_role("searchbox", name="Find").fill("HOSTNAMES")
    page.locator("#filter output:not(:empty)").wait_for()
    assert shown(page) == ["default/hostnames"]
    page.get_by_role("button", name="Show all").click()
    page.locator("#filter output:empty").wait_for(state="attached")
    assert shown(page) == every
    page.locator("select[name=namespace]").select_option("kube-system")
    page.locator("#filter output:not(:empty)").wait_for()
    assert {name.partition("/")[0] for name in shown(page)} == {"kube-system"}
    page.get_by_role("button", name="Show all").click()
    page.locator("select[name=check]").select_option("selector-matches-no-pods")
    page.locator("#filter output:not(:empty)").wait_for()
    assert "default/hostnames" in shown(page)
    assert len(shown(page)) < len(every)
    page.get_by_role("button", name="Show all").click()
    page.locator(".verdicts a.broken").click()
    assert set(
        page.locator(".stations tbody tr:visible").evaluate_all("r => r.map(x => x.className)")
    ) == {"broken"}


def test_ten_thousand_services_are_searched_and_what_is_folded_opens(opened: Opener) -> None:
    page = opened("ten-thousand").page
    page.get_by_role("searchbox", name="Find").fill("service-0777")
    page.locator("#filter output:not(:empty)").wait_for()
    assert len(shown(page)) == 10
    assert page.locator(".folded tbody tr:visible").count() == 10


def test_columns_sort_both_ways(opened: Opener) -> None:
    page = opened("node-without-rules").page
    gravity = shown(page)
    head = page.locator(".stations thead th").first
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert shown(page) == sorted(gravity)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert shown(page) == sorted(gravity, reverse=True)
    page.get_by_label("Sort by").select_option("rules")
    states = page.locator(".stations tbody tr").evaluate_all(
        "r => r.map(x => x.cells[8].className)"
    )
    assert states == sorted(states, key=["f", "w", "q", "", "n"].index)
    page.get_by_label("Sort by").select_option("gravity")
    assert shown(page) == gravity


# --- keyboard, themes, copying ---


def test_the_keyboard_reaches_and_opens_everything(opened: Opener) -> None:
    page = opened("one-broken").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.locator(".reasoning summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".reasoning ol").first.is_visible()
    page.locator(".stations thead button").first.focus()
    page.keyboard.press("Space")
    assert page.locator('.stations [aria-sort="ascending"]').count() == 1
    page.locator(".path .excerpt, .excerpt").first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_chosen(opened: Opener, scheme: str) -> None:
    page = opened("one-broken", color_scheme=scheme).page
    grounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 21, 27)"}
    assert page.evaluate(GROUND) == grounds.pop(scheme)
    page.get_by_role("button", name="Change between dark and light").click()
    (other,) = grounds.values()
    assert page.evaluate(GROUND) == other


def test_a_command_is_copied_as_it_is_to_be_typed(opened: Opener) -> None:
    page = opened("one-broken", permissions=["clipboard-read", "clipboard-write"]).page
    command = page.locator(".card pre.command").first
    command.get_by_role("button").click()
    page.wait_for_function(
        "document.querySelector('.card pre.command button').textContent !== 'Copy'"
    )
    assert command.get_by_role("button").text_content() == "Copied"
    assert page.evaluate("navigator.clipboard.readText()") == command.locator("code").inner_text()


# --- strangers' names ---


def test_hostile_names_are_shown_and_do_nothing(opened: Opener) -> None:
    page = opened("hostile").page
    assert page.title().endswith("svcbundle")
    text = page.locator("body").inner_text()
    assert "<script>alert(1)</script>" in text
    assert r"\u202egnp.exe" in text
    assert r"\x1b[31mred" in text
    assert page.locator("body script").count() == 1
    pictures = page.locator("svg.wide").all_text_contents()
    assert any("<script>alert(1)</script>" in picture for picture in pictures)
    assert not any("\u202e" in picture or "\x1b" in picture for picture in pictures)

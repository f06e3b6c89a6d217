from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from analyzer.findings import Report, StationResult
from analyzer.model.forwarding import Endpoint, ServiceKey
from analyzer.model.service_path import ServicePath
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.report.html import render_html
from analyzer.report.visible import HIDDEN
from analyzer.resources import resource_text
from tests.report import factories as make
from tests.report import paths
from tests.report.cases import CASES, HOSTILE, hostile, node_without_hook, one_broken

VOID = {"meta", "link", "br", "input"}
IMPLIED = {"th", "td", "tr"}
"""Elements whose end tag HTML lets a page omit."""


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.raw: dict[str, str] = {}
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] != tag:
            assert self.open[-1] in IMPLIED, f"</{tag}> closes <{self.open[-1]}>"
            self.open.pop()
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"style", "script"}:
            self.raw[self.open[-1]] = data
        else:
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


@pytest.fixture(scope="module", params=CASES)
def page(request: pytest.FixtureRequest) -> Page:
    return Page(render_html(CASES[request.param]()))


@pytest.mark.parametrize("case", CASES)
def test_every_page_reads_as_it_did(case: str, golden: Callable[[str, str], None]) -> None:
    body = render_html(CASES[case]()).split("<body>")[1].split("<script")[0]
    golden(f"{case}.html", body)


@pytest.mark.parametrize("case", CASES)
def test_the_same_report_gives_the_same_bytes(case: str) -> None:
    assert render_html(CASES[case]()).encode() == render_html(CASES[case]()).encode()


def test_elements_are_closed_in_order(page: Page) -> None:
    assert page.open == []


def test_only_our_own_style_and_script_may_run(page: Page) -> None:
    (policy,) = (v for t, n, v in page.attributes if (t, n) == ("meta", "content") and "src" in v)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for element in ("style", "script"):
        assert page.tags[element] == 1
        digest = base64.b64encode(hashlib.sha256(page.raw[element].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


def test_no_attribute_runs_styles_or_loads_anything(page: Page) -> None:
    names = {name for _, name, _ in page.attributes}
    assert not {n for n in names if n.startswith("on") or n in {"style", "src", "srcset", "action"}}
    assert page.tags.keys().isdisjoint(
        {"img", "iframe", "object", "embed", "base", "image", "use", "foreignobject", "video"}
    )
    assert [v for t, n, v in page.attributes if t == "link" and n == "href"] == ["data:,"]


def test_links_lead_to_this_page_or_to_the_web(page: Page) -> None:
    links = [v for t, n, v in page.attributes if (t, n) == ("a", "href")]
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert all(link.startswith(("#", "https://")) for link in links)


def test_hidden_characters_are_shown(page: Page) -> None:
    assert HIDDEN.search(page.text.replace("\n", "")) is None
    assert all(HIDDEN.search(value) is None for _, _, value in page.attributes)


def test_hostile_names_are_text() -> None:
    page = Page(render_html(hostile()))
    assert "<script>alert(1)</script>" in page.text
    assert r"\x1b[31mred" in page.text
    assert r"\u202egnp.exe" in page.text
    assert "{{7*7}}{% raw %}" in page.text
    assert HOSTILE[5] in page.text
    assert "7*7" in page.text
    assert "49" not in page.text


def test_each_service_has_its_stations_in_order() -> None:
    page = Page(render_html(one_broken()))
    row = re.search(r"broken default/hostnames (.*)", page.text)
    assert page.values("id").count("s/default/hostnames") == 1
    assert row is not None
    assert row[1].endswith("passpassfailpassfailnot applicablepasspasspasspass")


def test_a_cell_leads_to_its_finding() -> None:
    source = render_html(node_without_hook())
    assert source.count('<td class=f title=""') == 0
    assert '<td class=f><a href="#rules-hook-missing/node-b">fail</a>' in source
    assert '<td class=w><a href="#hairpin-disabled/node-a">warn</a>' in source


def test_evidence_is_shown_with_its_lines() -> None:
    page = Page(render_html(one_broken()))
    assert page.values("data-number") == ["810", "811", "812", "813", "814", "44", "1"]
    assert "line hit" in page.values("class")
    source = render_html(one_broken())
    assert (
        'data-number="812">    &#34;<mark>run</mark>&#34;: &#34;<mark>hostnames</mark>&#34;</span>'
        in source
    )


def test_commands_can_be_told_from_prose() -> None:
    source = render_html(one_broken())
    assert "<p>Correct the selector:</p>" in source
    assert re.search(r'<pre class="command"[^>]*><code>kubectl -n default patch', source)


def test_everything_that_was_not_evaluated_is_listed_with_its_command() -> None:
    page = Page(render_html(one_broken()))
    assert "nodes/<node>/hairpin.txt" in page.text
    assert "grep -H . /sys/devices/virtual/net/*/brif/*/hairpin_mode" in page.text


def many(services: int, ill: int) -> Report:
    found = make.Findings()
    diagnosed = []
    for number in range(services):
        item = make.service("some-namespace", f"some-service-{number:05}", address="10.96.100.100")
        if number < ill:
            cause = found.add(make.selector_matches_no_pods, "selector", service=item.key)
            endpoints = StationResult(Station.ENDPOINTS, Status.FAIL, (cause,))
            diagnosed.append(make.diagnosed(item, Verdict.BROKEN, cause, endpoints=endpoints))
        else:
            hairpin = StationResult(Station.HAIRPIN, Status.NOT_EVALUATED, reason="no hairpin.txt")
            diagnosed.append(make.diagnosed(item, Verdict.HEALTHY, hairpin=hairpin))
    return make.report(found, tuple(diagnosed))


def drawn(services: int) -> tuple[ServicePath, ...]:
    ends = tuple(Endpoint(f"10.244.{n // 250}.{n % 250 + 1}", 8080) for n in range(300))
    sites = tuple(
        paths.site(e, f"some-deployment-{n:05}-abcde", "node-a") for n, e in enumerate(ends)
    )
    groups = (ends, ends[1:], ends[:-1])
    nodes = (
        paths.node_path(f"node-{n}", (paths.wanted(*ends),), (paths.found(*g),))
        for n, g in enumerate(groups)
    )
    keys = (ServiceKey("some-namespace", f"some-service-{n:05}") for n in range(services))
    every = tuple(nodes)
    return tuple(ServicePath(key, every, sites) for key in keys)


def test_ten_thousand_services_stay_small_and_all_there() -> None:
    source = render_html(replace(many(10_000, 200), paths=drawn(10)))
    assert len(source.encode()) < 3_000_000
    assert source.count('id="s/some-namespace/') == 10_000
    assert source.count('<svg class="wide"') == 30
    shown, folded = source.split('<details class="folded">')
    assert shown.count('id="s/some-namespace/') == 200
    assert "9,800 more Services, all healthy" in folded


def test_links_to_findings_are_those_of_the_next_bundle() -> None:
    before, after = (Page(render_html(many(4, ill))).values("href") for ill in (2, 3))
    links = {link for link in before if link.startswith("#selector-matches-no-pods/")}
    assert links == {
        f"#selector-matches-no-pods/some-namespace/some-service-{n:05}" for n in (0, 1)
    }
    assert links < set(after)


def test_few_services_are_not_folded() -> None:
    assert '<details class="folded">' not in render_html(many(200, 3))


def test_many_ill_services_are_folded_too() -> None:
    source = render_html(many(600, 500))
    summaries = re.findall("<summary>([^<]*more Services[^<]*)", source)
    assert [s.strip() for s in summaries] == [
        "300 more Services, all broken",
        "100 more Services, all healthy",
    ]
    ids = Page(source).values("id")
    assert sum(i.startswith("selector-matches-no-pods/some-namespace/") for i in ids) == 500


# --- colours ---


def palettes() -> list[dict[str, str]]:
    found = re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", resource_text("templates", "style.css")
    )
    return [{name: light for name, light, _ in found}, {name: dark for name, _, dark in found}]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("text", "muted", "link") for ground in ("ground", "raised")),
        *((name, f"{name}-ground") for name in ("bad", "warn", "note", "good")),
        *((name, "ground") for name in ("bad", "warn", "note", "good")),
        *(("text", f"{name}-ground") for name in ("bad", "warn", "note")),
        ("mark-text", "mark"),
        ("bad", "raised"),
        ("muted", "note-ground"),
        *(("muted", f"{name}-ground") for name in ("bad", "warn")),
        *((name, "raised") for name in ("warn", "note", "good")),
        ("ground", "text"),
    ],
)
def test_text_stands_out_from_its_ground(palette: dict[str, str], text: str, ground: str) -> None:
    first, second = sorted((luminance(palette[text]), luminance(palette[ground])))
    assert (second + 0.05) / (first + 0.05) >= 4.5

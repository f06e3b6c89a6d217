"""Pages in a real browser: Debian's Chromium, driven by Playwright; skipped with one line where either is absent."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.difference.report import DiffReport
from analyzer.diffing import diff_bundles
from analyzer.findings import Report
from analyzer.language import speaking
from analyzer.model.forwarding import ServiceKey
from analyzer.pipeline import Question, analyse
from analyzer.report.diff_html import render_diff_html
from analyzer.report.html import render_html
from tests.report.cases import hostile
from tests.report.test_html import drawn, many

SERVICES = tuple(
    ServiceKey(*name.split("/"))
    for name in ("default/hostnames", "kube-system/kube-dns", "shop/orders", "shop/db-headless")
)
"""Those of the samples' Services that are reported: a page of all of them keeps axe busy for long."""


def _of_sample(name: str) -> Callable[[Path], Report]:
    def report(samples: Path) -> Report:
        with open_bundle([samples / name / "bundle.tgz"]) as bundle:
            asked = Question(services=SERVICES, paths=True)
            return analyse(bundle, asked, lambda _message: None).report

    return report


REPORTS: dict[str, Callable[[Path], Report]] = {
    "one-broken": _of_sample("selector-no-match"),
    "node-without-rules": _of_sample("jump-to-services-lost"),
    "hundred": lambda _samples: replace(many(100, 20), paths=drawn(10)),
    "ten-thousand": lambda _samples: replace(many(10_000, 200), paths=drawn(10)),
    "hostile": lambda _samples: hostile(),
    "chinese": _of_sample("endpoint-chain-emptied"),
}


def _difference(name: str) -> Callable[[Path], DiffReport]:
    def report(samples: Path) -> DiffReport:
        archives = (samples / side / "bundle.tgz" for side in ("healthy", name))
        with ExitStack() as stack:
            old, new = (stack.enter_context(open_bundle([archive])) for archive in archives)
            return diff_bundles(old, new, Question(), lambda _message: None).report

    return report


DIFFERENCES: dict[str, Callable[[Path], DiffReport]] = {
    "diff": _difference("endpoint-chain-emptied"),
    "diff-chinese": _difference("kube-proxy-stopped"),
    "diff-none": _difference("healthy"),
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium without a window."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everybody has it
    except ImportError:
        pytest.skip("playwright is not installed: pages are not tested in a browser")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine: pages are not tested in a browser")
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield program
        program.close()


def violations(page: Any, width: int, scheme: str) -> list[tuple[str, list[str]]]:
    """Return what axe-core finds on a page of this width and theme."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    return [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found]


def too_wide(page: Any) -> list[str]:
    """Return the screens, and paper, that a page does not fit on."""
    wide = "document.scrollingElement.scrollWidth > document.documentElement.clientWidth"
    found: list[str] = []
    for medium, width in (*(("screen", w) for w in (320, 390, 800, 1280, 1920)), ("print", 688)):
        page.emulate_media(media=medium)
        page.set_viewport_size({"width": width, "height": 900})  # 688: A4 without its margins
        if page.evaluate(wide):
            found.append(f"{medium} {width}")
    return found


class Pages:
    """The page of each report, written when it is first asked for."""

    def __init__(self, samples: Path, folder: Path) -> None:
        self._samples, self._folder = samples, folder

    def address(self, name: str) -> str:
        file = self._folder / f"{name}.html"
        if not file.exists():
            with speaking("zh" if name.endswith("chinese") else "en"):
                file.write_text(self._page(name), "utf-8")
        return file.as_uri()

    def _page(self, name: str) -> str:
        if name in DIFFERENCES:
            return render_diff_html(DIFFERENCES[name](self._samples))
        return render_html(REPORTS[name](self._samples))


@pytest.fixture(scope="session")
def pages(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(samples, tmp_path_factory.mktemp("pages"))


@dataclass
class Tab:
    """A page that is open, with what it said and asked for behind the scenes."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Opener = Callable[..., Tab]


@pytest.fixture
def opened(browser: Any, pages: Pages) -> Iterator[Opener]:
    """Open a report at a fragment: `opened("hostile", "#services", width=390)`; complaints fail the test."""
    tabs: list[Tab] = []
    contexts = []

    def open_tab(name: str, fragment: str = "", width: int = 1280, **options: Any) -> Tab:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        tab = Tab(context.new_page(), pages.address(name) + fragment)
        tab.page.on("console", lambda message: tab.complaints.append(message.text))
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on("request", lambda request: tab.requests.append(request.url))
        tab.page.goto(tab.url)
        tabs.append(tab)
        return tab

    yield open_tab
    for context in contexts:
        context.close()
    for tab in tabs:
        assert tab.complaints == []
        assert [url for url in tab.requests if not url.startswith(("file:", "data:"))] == []
        assert len([url for url in tab.requests if url.startswith("file:")]) == 1

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from analyzer.checks import catalogue
from analyzer.cli.analyze import FORMATS
from analyzer.cli.commands import cli
from analyzer.cli.options import SUFFIXES
from analyzer.model.station import Station
from docs.generate import DOCS, man_page, pages

ROOT = DOCS.parent
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


@pytest.mark.parametrize("path", pages())
def test_a_generated_page_is_up_to_date(path: str) -> None:
    assert (DOCS / path).read_text("utf-8") == pages()[path], "run `make docs`"


def test_every_check_has_its_page() -> None:
    text = (DOCS / "checks.md").read_text("utf-8")
    assert [c.slug for c in catalogue() if f"\n### {c.slug}\n" not in text] == []


def test_the_text_of_checks_is_shown_as_written() -> None:
    tokens = MARKDOWN.parse((DOCS / "checks.md").read_text("utf-8"))
    html = [t.content for t in tokens if t.type == "html_block" and "Generated" not in t.content]
    html += [c.content for t in tokens for c in t.children or () if c.type == "html_inline"]
    assert html == []


def anchors(path: Path) -> set[str]:
    """Anchors as GitHub makes them of headings."""
    text = path.read_text("utf-8")
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    links = [
        str(child.attrs["href"])
        for token in MARKDOWN.parse(page.read_text("utf-8"))
        for child in token.children or ()
        if child.type == "link_open"
    ]
    broken = []
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_form_and_station_is_documented() -> None:
    formats = (DOCS / "formats.md").read_text("utf-8")
    assert [form for form in FORMATS[3:] if f"--format {form}" not in formats] == []
    assert [suffix for suffix in SUFFIXES if suffix not in formats and suffix != ".htm"] == []
    reading = (DOCS / "reading-a-report.md").read_text("utf-8")
    stations = [s.value for s in Station if s is not Station.BUNDLE]
    assert re.findall(r"(?m)^\| ([\w-]+) \| .+\? \|$", reading) == stations


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_json_in_a_page_is_json(page: Path) -> None:
    for token in MARKDOWN.parse(page.read_text("utf-8")):
        if token.type == "fence" and token.info == "json":
            json.loads(token.content)


# --- the manual page ---


def test_every_command_and_option_is_in_the_manual() -> None:
    text = man_page(cli).replace(r"\-", "-")
    for name, command in cli.commands.items():
        assert f".SS {name}\n" in text
        for parameter in command.params:
            assert all(option in text for option in parameter.opts if option.startswith("-"))


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_is_printed_without_a_warning() -> None:
    command = ["groff", "-ww", "-man", "-Tutf8", str(DOCS / "man" / "svcbundle.1")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    assert "SVCBUNDLE(1)" in done.stdout

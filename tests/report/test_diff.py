from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from analyzer.bundle.limits import Limits
from analyzer.bundle.reader import open_bundle
from analyzer.difference.report import DiffReport
from analyzer.diffing import diff_bundles, diff_nodes
from analyzer.pipeline import Question
from analyzer.report.diff_html import render_diff_html
from analyzer.report.diff_json import diff_schema, render_diff_json
from analyzer.report.diff_text import render_diff_text
from analyzer.report.visible import HIDDEN
from tests.bundles import files_of, laid_out, sample
from tests.command_line import svcbundle

SAME = "same"
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


@cache
def of_samples(old: str, new: str) -> DiffReport:
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(open_bundle((sample(name),), Limits())) for name in (old, new)
        )
        return diff_bundles(one, other, Question(), lambda _: None).report


@cache
def of_nodes(name: str) -> DiffReport:
    with open_bundle((sample(name),), Limits()) as bundle:
        return diff_nodes(bundle, ("node-a", "node-b"), Question(), lambda _: None).report


CASES: dict[str, Callable[[], DiffReport]] = {
    "no-difference": lambda: of_samples("healthy", "healthy"),
    "selector-no-match": lambda: of_samples("healthy", "selector-no-match"),
    "kube-proxy-stopped": lambda: of_samples("healthy", "kube-proxy-stopped"),
    "put-right": lambda: of_samples("endpoint-chain-emptied", "healthy"),
    "nodes": lambda: of_nodes("endpoint-chain-emptied"),
}


@pytest.fixture(params=CASES)
def diff(request: pytest.FixtureRequest) -> DiffReport:
    return CASES[request.param]()


def unplaced(diff: DiffReport) -> DiffReport:
    """Name the bundles without where the checkout is, which also decides where lines are broken."""
    sides = (
        replace(s, name=re.sub(r"\S*/samples/", "samples/", s.name)) for s in (diff.old, diff.new)
    )
    old, new = sides
    return replace(diff, old=old, new=new)


@pytest.mark.parametrize("case", CASES)
def test_every_difference_reads_as_it_did(case: str, golden: Callable[[str, str], None]) -> None:
    text = render_diff_text(unplaced(CASES[case]()), width=10_000, color=False)
    golden(f"diff-{case}.txt", text)


def test_the_json_is_valid(diff: DiffReport) -> None:
    Draft202012Validator.check_schema(diff_schema())
    Draft202012Validator(diff_schema()).validate(json.loads(render_diff_json(diff)))


def test_the_same_difference_gives_the_same_bytes(diff: DiffReport) -> None:
    for render in (render_diff_json, render_diff_html):
        assert render(diff) == render(diff)


def test_json_says_which_rule_changed_and_where() -> None:
    document = json.loads(render_diff_json(CASES["selector-no-match"]()))
    (change,) = document["forwarding"]
    assert change["service"] == "default/hostnames"
    assert change["frontend"]["kind"] == "cluster IP"
    old, new = change["observed"][0]["old"], change["observed"][0]["new"]
    assert old["chain"] == "KUBE-SVC-ODX2UBAZM7RQWOIU"
    assert new["chain"] is None
    assert (old["file"], new["file"]) == ("nodes/node-a/iptables-save.txt",) * 2


def test_a_cause_is_told_and_what_follows_from_it_counted() -> None:
    text = render_diff_text(CASES["kube-proxy-stopped"](), width=10_000, color=False)
    findings = text.split("Findings\n")[1].split("\n\n")[0]
    assert findings.count("new: ") == 1
    assert re.search(r"kube-proxy-not-running\].*\n +explains \d others", findings)


def test_verbose_shows_what_is_the_same() -> None:
    report = CASES["no-difference"]()
    assert "same: " not in render_diff_text(report, width=100, color=False)
    assert "same: " in render_diff_text(report, width=100, color=False, verbose=True)


def test_lines_fit_the_terminal(diff: DiffReport) -> None:
    text = render_diff_text(diff, width=80, color=False)
    long = [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()]
    assert [line for line in long if max(map(len, line.split())) < 60] == []


def test_colour_only_paints(diff: DiffReport) -> None:
    painted = render_diff_text(diff, width=100, color=True)
    plain = render_diff_text(diff, width=100, color=False)
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == plain


# --- hostile names ---


class Page(HTMLParser):
    """Which elements a page has."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [v or "" for n, v in attrs if n == "id"]
        self.links += [v or "" for n, v in attrs if n == "href"]


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[DiffReport]:
    files = files_of("healthy")
    files.pop("manifest.json")
    document = json.loads(files["cluster/services.json"])
    added = json.loads(json.dumps(document["items"][0]))
    added["metadata"] |= {"name": HOSTILE, "namespace": HOSTILE}
    added["spec"]["selector"] = {HOSTILE: HOSTILE}
    document["items"].append(added)
    changed = {**files, "cluster/services.json": json.dumps(document).encode()}
    with ExitStack() as stack:
        folders = [laid_out(tmp_path / "old", files), laid_out(tmp_path / "new", changed)]
        old, new = (stack.enter_context(open_bundle((f,), Limits())) for f in folders)
        yield diff_bundles(old, new, Question(), lambda _: None).report


def test_hostile_names_are_text_in_every_form(hostile: DiffReport) -> None:
    text = render_diff_text(hostile, width=100, color=False)
    assert HIDDEN.search(text.replace("\n", "")) is None
    assert r"<script>alert(1)</script>\x1b[31m\u202e" in text
    page = render_diff_html(hostile)
    assert "script" not in Page(page).tags
    assert HIDDEN.search(page.replace("\n", "")) is None
    Draft202012Validator(diff_schema()).validate(json.loads(render_diff_json(hostile)))


def test_links_of_the_page_lead_somewhere(diff: DiffReport) -> None:
    page = Page(render_diff_html(diff))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert [link for link in page.links if not link.startswith("#")] == ["data:,"]


# --- the command ---

HEALTHY, STOPPED = sample("healthy"), sample("kube-proxy-stopped")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param((HEALTHY, HEALTHY), 0, id="no difference"),
        pytest.param((HEALTHY, STOPPED), 1, id="differences"),
        pytest.param(("--nodes", "node-a", "node-b", STOPPED), 1, id="nodes"),
        pytest.param((HEALTHY, STOPPED, "--service", "default/docs"), 1, id="one Service"),
        pytest.param((HEALTHY,), 2, id="one bundle"),
        pytest.param((HEALTHY, HEALTHY, HEALTHY), 2, id="three bundles"),
        pytest.param(("--nodes", "node-a", "nowhere", HEALTHY), 2, id="unknown node"),
        pytest.param((HEALTHY, HEALTHY, "-o", "x.sarif"), 2, id="no such form"),
        pytest.param((HEALTHY, "no-such-bundle.tgz"), 3, id="unreadable"),
    ],
)
def test_the_exit_status_says_how_it_went(words: tuple[object, ...], status: int) -> None:
    ran = svcbundle("diff", *words)
    assert ran.status == status, ran.err
    assert bool(ran.out) is (status < 2)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("d.txt", "3 findings are new"), ("d.json", "{"), ("d.html", "<!doctype html>")],
)
def test_the_form_follows_the_suffix(tmp_path: Path, name: str, begins: str) -> None:
    ran = svcbundle("diff", HEALTHY, STOPPED, "-o", tmp_path / name)
    assert (ran.status, ran.out) == (1, "")
    assert (tmp_path / name).read_text("utf-8").startswith(begins)

from __future__ import annotations

from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt

from analyzer.findings import Quote
from analyzer.report.markdown_text import code, fenced, inline, table_row
from analyzer.report.ticket import render_ticket
from analyzer.report.visible import HIDDEN, visible
from tests.report import factories as make
from tests.report.cases import CASES, HOSTILE, node_without_hook, one_broken

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
WANTED = {
    "heading", "paragraph", "strong", "bullet_list", "list_item", "fence", "inline", "text",
    "code_inline", "softbreak", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


def kinds(text: str) -> set[str]:
    tokens = MARKDOWN.parse(text)
    found = {child.type for token in tokens for child in token.children or ()}
    found |= {token.type for token in tokens}
    return {kind.removesuffix("_open").removesuffix("_close") for kind in found}


def shown(text: str) -> str:
    """What a reader sees of a line of Markdown."""
    tokens = MARKDOWN.parse(text)
    return "".join(child.content for token in tokens for child in token.children or ())


@pytest.mark.parametrize("case", CASES)
def test_every_report_reads_as_it_did(case: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{case}.md", render_ticket(CASES[case]()))


@pytest.mark.parametrize("case", CASES)
def test_a_ticket_has_no_links_images_or_html(case: str) -> None:
    assert kinds(render_ticket(CASES[case]())) <= WANTED


def test_the_cause_comes_before_everything_else() -> None:
    text = render_ticket(one_broken())
    order = ["# 1 of 3 Services", "## 1. ✗ Error", "What to do", "Evidence", "## Not evaluated"]
    assert sorted(order, key=text.index) == order


def test_the_deciding_line_is_marked() -> None:
    assert '> 812      "run": "hostnames"' in render_ticket(one_broken())


def test_consequences_are_told_with_their_cause() -> None:
    text = render_ticket(node_without_hook())
    assert "Explains 4 further findings: shop/web-1, shop/web-2, shop/web-3 and shop/web-4." in text


def test_many_consequences_are_counted() -> None:
    found = make.Findings()
    root = found.add(make.rules_hook_missing, "no hook", node="node-b")
    for number in range(30):
        found.add(make.rules_service_missing, f"{number} is not served", caused_by=root)
    text = render_ticket(make.report(found))
    assert text.count("is not served") == 10
    assert "- … and 20 more" in text


@pytest.mark.parametrize(
    "text",
    [
        *HOSTILE,
        "*bold* _it_ ~~gone~~ `tick` ``two``",
        "[link](https://example.com) ![image](https://example.com/x.png)",
        "@everyone #1 !2 ~label $a_b$ &lt; :tada:",
        "/close now",
        "1. a list",
        "- a list",
        "> a quote",
        "=== a heading",
        "a <details><summary>b",
        "see https://example.com and www.example.com, both.",
        "tick ` at the end `",
        "` `",
        "\\",
    ],
)
def test_a_line_shows_a_strangers_text_and_nothing_else(text: str) -> None:
    line = inline(text)
    assert kinds(line) <= {"paragraph", "inline", "text", "code_inline"}
    seen = shown(line)
    assert HIDDEN.search(seen) is None
    assert seen.replace(" ", "") == visible_text(text)


def visible_text(text: str) -> str:
    return visible(text).replace(" ", "")


@pytest.mark.parametrize(
    "mention", ["@someone", "#12", "!3", "$x$", "/close", "https://example.com"]
)
def test_what_a_forge_would_act_on_is_code(mention: str) -> None:
    assert inline(f"ask {mention}, now") == f"ask `{mention}`, now"


def test_words_of_a_sentence_stay_words() -> None:
    sentence = (
        "selector run=hostnames matches no pod; 3 pods carry app=hostnames (node-b, 10.0.0.1)."
    )
    assert inline(sentence) == sentence


@pytest.mark.parametrize(
    "lines", [["```", "x"], ["````sh", "```"], ["~~~"], ["a", "", "    b"], []]
)
def test_no_line_leaves_a_fence(lines: list[str]) -> None:
    (token,) = MARKDOWN.parse(fenced(lines))
    assert token.content.splitlines() == lines


def test_evidence_full_of_fences_stays_evidence() -> None:
    found = make.Findings()
    quote = Quote("nodes/a/kube-proxy.log", 1, "``` </pre><script>alert(1)</script>", (), ("````",))
    found.add(make.hairpin_disabled, "it is so", (quote, ""))
    text = render_ticket(make.report(found))
    assert kinds(text) <= WANTED
    blocks = [token.content for token in MARKDOWN.parse(text) if token.type == "fence"]
    assert any("<script>" in block for block in blocks)


def test_a_cell_does_not_end_in_its_text() -> None:
    table = "\n".join((table_row("ab"), table_row(("---", "---")), table_row((code("x|y"), "z"))))
    cells = [t.content for t in MARKDOWN.parse(table) if t.type == "inline"]
    assert cells == ["a", "b", "`x|y`", "z"]

from __future__ import annotations

from textwrap import dedent

import pytest

from analyzer.report.markdown import BlockKind, Span, blocks_of

PAGE = dedent("""\
    A Service's selector
    matches no pod.

    ## Why it matters
    Clients see `connection refused`.
    - first
    - second item
      goes on
    1. counted

        kubectl get pods
        kubectl get svc

    ```
    # a comment, no heading
    ```
    last""")


def test_a_page_is_read_into_its_blocks() -> None:
    assert [(block.kind.value, block.text) for block in blocks_of(PAGE)] == [
        ("paragraph", "A Service's selector matches no pod."),
        ("heading", "Why it matters"),
        ("paragraph", "Clients see connection refused."),
        ("list", "first\nsecond item goes on\ncounted"),
        ("code", "kubectl get pods\nkubectl get svc"),
        ("code", "# a comment, no heading"),
        ("paragraph", "last"),
    ]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a `b` c", (Span("a "), Span("b", code=True), Span(" c"))),
        ("``a``", (Span("a", code=True),)),
        ("a ` b", (Span("a ` b"),)),
        ("<b>**x**</b>", (Span("<b>**x**</b>"),)),
    ],
)
def test_only_backticks_are_markup_within_a_line(text: str, spans: tuple[Span, ...]) -> None:
    assert blocks_of(text)[0].lines == (spans,)


@pytest.mark.parametrize("text", ["", "\n\n", "```", "    ", "#", "- ", "``` \n", "`", "#hash"])
def test_nothing_fails_on_what_is_cut_short(text: str) -> None:
    assert "".join(b.text for b in blocks_of(text) if b.kind is BlockKind.HEADING) == ""

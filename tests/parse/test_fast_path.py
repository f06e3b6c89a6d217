"""What the patterns made of a grammar match is what Lark parses."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from analyzer.parse.fast_path import pattern_of
from analyzer.parse.grammar import load_grammar
from analyzer.parse.klog_body import read_fields

DATA = Path(__file__).parent.parent / "data" / "parse"
KLOG = "E1123 02:51:17.929098   22231 server.go:255] "
LINES = (
    "",
    " ",
    KLOG,
    KLOG.strip(),
    f"{KLOG}plain",
    f'  {KLOG}"A" b=1',
    f"one two three {KLOG}x",
    f"one two three four {KLOG}x",
    f"[pod/a/b] 2026-11-23T02:51:18Z {KLOG}x",
    f"[pod/a b] {KLOG}x",
    f"2026-11-23T02:51:18Z stderr F {KLOG}x",
    "2026-11-23T02:51:18Z stderr P:x 2026-11-23T02:51:18Z [ERROR] x",
    "2026-11-23T02:51:18Z stderr is full",
    "2026-11-23T02:51:18Z stderr F",
    "2026-11-23T02:51:18Z",
    "2026-11-23 02:51:18,123 INFO x",
    f"2026-11-23T02:51:18.1+02:00 n k[1]: {KLOG}x",
    "2026-11-23T02:51:18+0000 n k: x",
    f"Mon 2026-11-23 02:51:18 UTC n k[1]: {KLOG}x",
    f"Nov  3 02:51:18 n k[1]: {KLOG}x",
    f"Nov 23 02:51:18 {KLOG}x",
    "<13>Nov 23 02:51:18 n k: x",
    "[12.5] n k[1]: x",
    "1513184439.726499 n k[1]: x",
    f"MESSAGE={KLOG}x",
    "_PID=1",
    "PRIORITY=6",
    "-- Logs begin at x --",
    "-- cursor: s=1",
    "-- x",
    '{"a":1}',
    '{"a":1} x',
    "{",
    '2026-11-23T02:51:18Z {"a":1} ',
    "level=info msg=x",
    'time="x" level=info msg="y"',
    "time=x",
    "[INFO] x",
    "[INFO]",
    "[INFO]x",
    "[other] x",
    "panic: x",
    "I think",
    "E1123 02:51:17.929098   22231 server.go] x",
    "E1123 02:51:17   22231 server.go:255] x",
)
BODIES = (
    "",
    '"A"',
    '"A" ',
    '"A"x',
    '"A" b',
    '"A" b=',
    '"A" b= c=',
    '"A" b=1 c="2" d=[3 4] e={"x":"}"} f=<nil> g=a[b c]d',
    '"A" b=<\n\tx\n > c=<\n\ty\n >',
    '"A" b=<\n\tx',
    '"A" b=<\n > c=1',
    '"A" b="x',
    '"A" b="x\\',
    '"A" b="x"y c=1',
    '"A" b=(1 c=2',
    '"A" b=) c=2',
    '"A" primary b=1',
    '"A" b=1 c d=2 e',
    '"A" "b"=1',
    '"A" =1',
    '"A" b==1',
    '"A\\"" b=1',
    '"A\n" b=1',
    '"A',
    "A b=1",
    " b=1",
)


def tokens_of_lark(grammar: Lark, start: str, text: str) -> list[tuple[str, str]] | None:
    try:
        tree: Tree[Token] = grammar.parse(text, start=start)
    except UnexpectedInput:
        return None
    return [(t.type, str(t)) for t in tree.scan_values(lambda t: isinstance(t, Token))]


def tokens_of(match: re.Match[str] | None) -> list[tuple[str, str]] | None:
    if match is None:
        return None
    return [(name, value) for name, value in match.groupdict().items() if value and name[0] != "_"]


def fields_of_lark(grammar: Lark, body: str) -> list[tuple[str, str]] | None:
    """The pairs, values as they are written, and what follows them, of a body in Lark's eyes."""
    tree: Tree[Token] = grammar.parse(body, start="body")
    if tree.data == "plain":
        return None
    fields = next(tree.find_data("fields"))
    found = []
    for part in fields.iter_subtrees_topdown():
        if part.data in {"pair", "trailing"}:
            tokens = [str(t) for t in part.scan_values(lambda _: True)]
            key = tokens.pop(0).strip(" ")[:-1] if part.data == "pair" else ""
            found += [(key, "".join(tokens))] if key or tokens else []
    return found


def fields_of_pattern(grammar: Lark, body: str) -> list[tuple[str, str]] | None:
    quoted = re.match(grammar.get_terminal("QUOTED").pattern.to_regexp(), body)
    if quoted is None:
        return None
    pair = pattern_of(grammar, "pair")
    found, position = [], quoted.end()
    while match := pair.match(body, position):
        found.append((match["KEY"].strip(" ")[:-1], match[0][len(match["KEY"]) :]))
        position = match.end()
    _, rest = read_fields(body, quoted.end())
    assert rest == body[position:]
    return found + ([("", rest)] if rest else [])


def assert_lines_agree(lines: Iterable[str]) -> None:
    grammar = load_grammar("klog")
    wrapping, content = pattern_of(grammar, "wrapping"), pattern_of(grammar, "content")
    whole = pattern_of(grammar, "line")
    head = re.compile(grammar.get_terminal("KLOG_HEAD").pattern.to_regexp())
    for line in lines:
        expected = tokens_of_lark(grammar, "line", line)
        assert tokens_of(whole.fullmatch(line)) == expected, line
        outer = wrapping.match(line)
        assert outer is not None
        inner = content.fullmatch(line, outer.end())
        assert (tokens_of(outer) or []) + (tokens_of(inner) or []) == expected, line
        begins = head.match(line)
        assert (begins is not None) == ((expected or [("", "")])[0][0] == "KLOG_HEAD"), line


def assert_bodies_agree(bodies: Iterable[str]) -> None:
    grammar = load_grammar("klog")
    for body in bodies:
        assert fields_of_pattern(grammar, body) == fields_of_lark(grammar, body), body


def distinct(texts: Iterable[str]) -> list[str]:
    """Lines of logs, one of each kind: those that differ in digits and hexadecimals alone parse alike."""
    return list(
        {
            re.sub(r"[0-9a-f]{2,}|\d", "0", line): line for t in texts for line in t.split("\n")
        }.values()
    )


def bodies_of(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        _, separator, body = line.partition("] ")
        if separator and body.startswith('"'):
            yield body


def test_lines_match_as_lark_parses_them() -> None:
    assert_lines_agree(LINES)


def test_bodies_match_as_lark_parses_them() -> None:
    assert_bodies_agree(BODIES)


def test_scrambled_lines_and_bodies_match_as_lark_parses_them() -> None:
    dice = random.Random(7)
    alphabet = [*'"\\=<>[]{}() \n\tab1', "\n >", ' k="v"', "=<\n\t", '"A"', KLOG]
    texts = ["".join(dice.choices(alphabet, k=dice.randint(1, 12))) for _ in range(3000)]
    assert_lines_agree(text.replace("\n", "") for text in texts)
    assert_bodies_agree(texts)
    assert_bodies_agree(f'"A" {text}' for text in texts)


def test_lines_of_our_logs_match_as_lark_parses_them() -> None:
    lines = distinct(path.read_text() for path in sorted(DATA.glob("*.log")))
    assert_lines_agree(lines)
    assert_bodies_agree(bodies_of(lines))


@pytest.mark.parametrize("folder", ["captures", "realworld/logs"])
def test_lines_of_strangers_logs_match_as_lark_parses_them(shared: Path, folder: str) -> None:
    files = [p for p in sorted((shared / folder).rglob("*")) if p.is_file() and "log" in p.name]
    if not files:
        pytest.skip(f"no logs in ../shared/{folder}")
    lines = distinct(path.read_text(errors="replace") for path in files)
    assert_lines_agree(lines)
    assert_bodies_agree(bodies_of(lines))


SYSCTL_LINES = """
# c
a = 1
a=1
a =
a b
a: b = c
/proc/sys/a/b:1
/proc/sys/a = 2
/proc/sys/a:
sysctl: cannot stat /proc/sys/x: No
error: x = y
= 1
a==1
1"""


@pytest.mark.parametrize("line", [*SYSCTL_LINES.split("\n"), "  "])
def test_sysctl_lines_match_as_lark_parses_them(line: str) -> None:
    grammar = load_grammar("sysctl")
    matched = tokens_of(pattern_of(grammar, "line").fullmatch(line))
    assert matched == tokens_of_lark(grammar, "line", line)

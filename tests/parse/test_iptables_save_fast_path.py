"""The fast path reads what the grammar reads: rule by rule, and as fast as it is meant to be."""

from __future__ import annotations

import re
import tarfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model.ruleset import Family, Ruleset
from analyzer.parse.iptables_grammar import parse_line
from analyzer.parse.iptables_line import ChainLine, Line, NotALine, RuleLine
from analyzer.parse.iptables_save import KnownLines, _cleaned, parse_iptables_save
from analyzer.parse.line_shapes import LineShape, LineShapes
from analyzer.parse.ruleset_builder import RulesetBuilder

DATA = Path(__file__).parent.parent / "data" / "iptables"

SHAPE_FIELDS = ("literals", "matches", "target", "slot_of", "flags")


def parse_by_grammar(path: str, text: str, family: Family) -> tuple[Ruleset, ...]:
    """Do what parse_iptables_save does, with the grammar for each line."""
    *lines, rest = _cleaned(text).split("\n")
    builder = RulesetBuilder(path, family)
    for number, line in enumerate(lines, 1):
        if line.strip():
            builder.take(by_grammar(line.strip()), number, line)
    cut = builder.unfinished and rest.strip() not in {"", "COMMIT"}
    if rest.strip() and not cut:
        builder.take(by_grammar(rest.strip()), len(lines) + 1, rest)
    last = rest or "".join(lines[-1:])
    return builder.finish(len(lines) + bool(rest), last, cut=cut)


by_grammar = lru_cache(maxsize=100_000)(parse_line)


def find(shapes: LineShapes, line: str) -> tuple[LineShape, re.Match[str]] | None:
    """Look for the shape of a line that is the first one."""
    return shapes.find(line, LineShape(None, counted=False))


def content(ruleset: Ruleset) -> list[object]:
    """Return all that a ruleset holds, in values that compare."""
    return [
        (ruleset.path, ruleset.family, ruleset.backend, ruleset.generator),
        [
            (
                (table.name, table.line, table.complete),
                [(c.name, c.line, c.policy, c.counters) for c in table.chains.values()],
                [
                    [getattr(rule.shape, name) for name in SHAPE_FIELDS]
                    + [rule.values, rule.line, rule.counters]
                    for rule in table.rules()
                ],
            )
            for table in ruleset.tables.values()
        ],
        ruleset.problems,
        ruleset.warnings,
    ]


def assert_same(text: str, known: KnownLines | None = None) -> None:
    fast = parse_iptables_save("x", text, Family.IPV4, known)
    slow = parse_by_grammar("x", text, Family.IPV4)
    assert len(fast) == len(slow)
    for one, other in zip(fast, slow, strict=True):
        assert content(one) == content(other)


@pytest.mark.parametrize("path", sorted(DATA.glob("k*.txt")), ids=lambda path: path.name)
@pytest.mark.parametrize("times", [1, 3])
def test_every_line_of_our_dumps_is_read_as_the_grammar_reads_it(path: Path, times: int) -> None:
    assert_same(path.read_text(encoding="utf-8") * times)


@pytest.mark.parametrize("path", sorted(DATA.glob("k*.txt")), ids=lambda path: path.name)
def test_rules_that_other_nodes_have_are_read_as_the_grammar_reads_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = KnownLines()
    assert_same(text, known)
    assert known.rules
    assert known.chains
    assert_same(text.replace("KUBE-SERVICES", "KUBE-SERVICED"), known)
    lines = text.splitlines()
    assert_same("\n".join([lines[0], "", *lines[1:]]), known)  # on other lines, cut at the end


@pytest.mark.parametrize("block", [1, 40, 41, 42, 43, 300])
def test_a_dump_that_is_parted_into_lines_block_by_block_is_read_as_the_grammar_reads_it(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.parse.iptables_save._BLOCK", block)
    text = (
        "*nat\n:KUBE-SVC-A - [0:0]\n\n\r\n-A KUBE-SVC-A -j DROP\n\n" * 3
        + "-A X -j ACCEPT\nCOMMIT\n"
    )
    for end in ("", "\n", "\n\n", "-A X -j D"):
        assert_same(text + end)
        assert_same(end + text.removesuffix("COMMIT\n") + end)


def test_every_public_dump_is_read_as_the_grammar_reads_it(shared: Path) -> None:
    for path in sorted((shared / "realworld" / "iptables").iterdir()):
        assert_same(path.read_bytes().decode(errors="replace"))


def test_every_captured_dump_is_read_as_the_grammar_reads_it(shared: Path) -> None:
    dumps = {text for path in (shared / "captures").rglob("*.tgz") for text in dumps_in(path)}
    assert dumps
    for text in sorted(dumps):
        assert_same(text)


def dumps_in(archive: Path) -> Iterator[str]:
    """Yield the iptables-save files of a bundle."""
    with tarfile.open(archive) as bundle:
        for member in bundle:
            file = bundle.extractfile(member) if "tables-save" in member.name else None
            if file is not None:
                yield file.read().decode(errors="replace")


# -- lines that were made to be read otherwise -------------------------------------------------------

WORDS = [
    *("-A", "X", "KUBE-SVC-A", "-p", "tcp", "-m", "comment", "--comment", "-j", "DROP", "-g", "-c"),
    *("!", "-s", "10.0.0.0/8", "--dport", "80", "-1", "-4", "-", "--", "-t", "nat", "'a", "b'"),
    *('"a b"', '"a \\" b"', '"', "'a b'", "'", "\\", "(x)", "#", "[0:0]", "[1:2]", ":X", "-I", "3"),
    *("--tcp-flags", "SYN,ACK", "-mtcp", "--set-xmark", "0x1/0x1", "!x", "--802", "\u00a0", "é"),
]
LINES = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
RULES = LINES.map("-A X -p tcp ".__add__)


@given(st.lists(st.one_of(RULES, LINES), max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_lines_are_read_as_the_grammar_reads_them(lines: list[str]) -> None:
    assert_same("\n".join(["*nat", *lines, *lines, *lines, "COMMIT", ""]))


@given(st.lists(st.sampled_from(WORDS), max_size=8), st.integers(0, 7), st.sampled_from(WORDS))
@settings(max_examples=1000, deadline=None)
def test_a_line_with_another_word_is_read_as_the_grammar_reads_it(
    words: list[str], place: int, word: str
) -> None:
    shapes = LineShapes()
    learned = " ".join(["-A X", *words])
    shapes.read(learned)
    shapes.read(learned)
    words[place : place + 1] = [word]
    other = " ".join(["-A X", *words])
    found = find(shapes, other)
    if found is not None:
        line = parse_line(other)
        assert isinstance(line, RuleLine)
        assert found[0].rule is not None
        assert line.shape.literals == found[0].rule.literals
        assert line.values == found[1].groups()


@pytest.mark.parametrize(
    ("learned", "other"),
    [
        ("-A X --o a b -j Y", "-A X --o 'a b' -j Y"),
        ("-A X --o a -j Y", "-A X --o ! -j Y"),
        ("-A X --o a -j Y", "-A X --o -b -j Y"),
        ("-A X --tcp-flags ! X", "-A X --tcp-flags ! -1"),
        ("-A X --o a -j Y", '-A X --o "a -j Y'),
        ("-A X --o a -j Y", '-A X --o "a" b" -j Y'),
        ("-A X --o a b", "-A X --o a \\"),
        ("-A X -j Y", "-A X  -j Y"),
        ("-A X -j Y", "-A X -j -Y"),
        ("-A X -j Y", "-A X -g Y"),
        ("[0:0] -A X -j Y", "-A X -j Y"),
        ("-A X -j Y", "[0:0] -A X -j Y"),
        ("[0:0] -A X -j Y", "[0:123456789012345678901] -A X -j Y"),
        (":X - [0:0]", ":X DENY [0:0]"),
        (":X - [0:0]", ":X -"),
        ("-A X --comment a", "-A X --comment " + "a" * 70_000),
    ],
)
def test_what_is_of_another_shape_is_left_to_the_grammar(learned: str, other: str) -> None:
    shapes = LineShapes()
    shapes.read(learned)
    shapes.read(learned)
    assert find(shapes, learned) is not None
    assert find(shapes, other) is None


def test_a_line_that_is_too_long_is_not_read_where_its_shape_is_expected() -> None:
    lines = [f"-A X --comment {'a' * length} -j Y" for length in (1, 1, 1, 70_000, 1)]
    assert_same("\n".join(["*nat", *lines, "COMMIT", ""]))
    (ruleset,) = parse_iptables_save("x", "\n".join(["*nat", *lines, "COMMIT"]), Family.IPV4)
    assert [problem.line for problem in ruleset.problems] == [5]


def test_a_shape_is_known_from_the_second_time_on_and_shared_between_rules() -> None:
    shapes = LineShapes()
    assert find(shapes, "-A A -j B") is None
    lines: list[Line] = [shapes.read("-A A -j B"), shapes.read("-A C -j D")]
    found = find(shapes, "-A E -j F")
    assert found is not None
    assert [line.shape for line in lines if isinstance(line, RuleLine)] == [found[0].rule] * 2


@pytest.mark.parametrize(
    "line", ["-t nat -A X -j Y", "-I X -j Y", "-A X -c 1 2 -j Y", "-P INPUT DROP", ":X -", "# x"]
)
def test_lines_that_values_alone_do_not_tell_are_always_read_by_the_grammar(line: str) -> None:
    shapes = LineShapes()
    for _ in range(3):
        assert not isinstance(shapes.read(line), NotALine)
        assert find(shapes, line) is None


def test_a_flood_of_shapes_is_forgotten() -> None:
    shapes = LineShapes()
    for number in range(5000):
        assert isinstance(shapes.read(f":X{number} - [0:0]"), ChainLine)
        shapes.read(f"-A X --option{number} -j Y")
    assert len(shapes._known) <= 4096
    for number in range(200):
        shapes.read(f"-A X --option{number % 100} -j Y")
    assert len(shapes._tried) <= 64


def test_a_big_dump_takes_a_fraction_of_the_grammars_time() -> None:
    text = (DATA / "kube-proxy-1.14-nft.txt").read_text(encoding="utf-8")
    start = time.process_time()
    for line in text.splitlines():
        parse_line(line)
    by_lark = time.process_time() - start
    start = time.process_time()
    parse_iptables_save("x", text * 20, Family.IPV4)
    assert time.process_time() - start < 20 * by_lark / 5

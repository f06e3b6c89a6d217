"""A ruleset prints itself back; strangers' dumps and netfilter's own examples among them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model.ruleset import Family, Ruleset, print_ruleset
from analyzer.parse.iptables_save import parse_iptables_save

DATA = Path(__file__).parent.parent / "data" / "iptables"

RULE = re.compile(r"(?:\[\d+:\d+\] )?-A(?: |$)")


def lines_of(text: str) -> list[str]:
    """Return the lines of a file without blanks at their ends."""
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text)]


def rules(rulesets: tuple[Ruleset, ...]) -> list[str]:
    """Return all rules as printed."""
    printed = (line for ruleset in rulesets for line in print_ruleset(ruleset).splitlines())
    return [line for line in printed if RULE.match(line)]


def frame(lines: list[str]) -> list[str]:
    """Return the lines that are no rules, comments or noise, one blank between their words."""
    return [" ".join(line.split()) for line in lines if line.startswith(("*", ":", "COMMIT"))]


@pytest.mark.parametrize("path", sorted(DATA.glob("k*.txt")), ids=lambda path: path.name)
def test_a_dump_prints_back_without_its_comments(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    (ruleset,) = parse_iptables_save(path.name, text, Family.IPV4)
    printed = print_ruleset(ruleset)
    assert printed == re.sub(r"#.*\n", "", text)
    assert print_ruleset(*parse_iptables_save("x", printed, Family.IPV4)) == printed


def public_dumps(shared: Path) -> list[tuple[str, str, str]]:
    """Return name, form and text of each dump of realworld."""
    folder = shared / "realworld"
    rows = map(json.loads, (folder / "INDEX.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        (row["path"], row["form"], (folder / row["path"]).read_bytes().decode(errors="replace"))
        for row in rows
        if row["kind"] == "iptables"
    ]


def test_every_complete_public_dump_prints_back_and_has_no_unrecognised_line(shared: Path) -> None:
    complete = [
        (name, text) for name, form, text in public_dumps(shared) if form == "complete_save"
    ]
    assert len(complete) > 100
    for name, text in complete:
        rulesets = parse_iptables_save(name, text, Family.IPV4)
        assert [str(problem) for ruleset in rulesets for problem in ruleset.problems] == []
        assert rules(rulesets) == [line for line in lines_of(text) if RULE.match(line)], name
        printed = [line for ruleset in rulesets for line in print_ruleset(ruleset).splitlines()]
        assert frame(printed) == frame(lines_of(text)), name


def test_every_rule_of_the_other_public_dumps_is_kept_or_told_as_a_problem(shared: Path) -> None:
    for name, form, text in public_dumps(shared):
        if form == "complete_save":
            continue
        rulesets = parse_iptables_save(name, text, Family.IPV4)
        kept = {
            rule.line for r in rulesets for table in r.tables.values() for rule in table.rules()
        }
        told = {problem.line for r in rulesets for problem in r.problems if problem.column}
        for number, line in enumerate(lines_of(text), 1):
            if RULE.match(line):
                assert number in kept | told, (name, number, line)


def test_a_dump_that_is_cut_off_says_so(shared: Path) -> None:
    for name, form, text in public_dumps(shared):
        rulesets = parse_iptables_save(name, text, Family.IPV4)
        if form == "truncated_save":
            assert any(p.truncation for r in rulesets for p in r.problems), name


def test_every_accepted_rule_of_netfilters_tests_prints_back(shared: Path) -> None:
    file = shared / "realworld" / "goldens" / "iptables_t_canonical.json"
    rows = [row for row in json.loads(file.read_text(encoding="utf-8")) if row["result"] == "OK"]
    assert len(rows) > 1000
    for row in rows:
        lines = [line.rstrip() for line in [*row["lines"], f"-A X {row['saved'] or ''}"]]
        text = "\n".join([f"*{row['table']}", *lines, "COMMIT", ""])
        (ruleset,) = parse_iptables_save(row["file"], text, Family.IPV4)
        assert ruleset.problems == []
        assert print_ruleset(ruleset) == text


def generated_rulesets(shared: Path) -> list[dict[str, Any]]:
    """Return what kube-proxy's unit tests fed iptables-restore with."""
    files = sorted((shared / "realworld" / "goldens").glob("generated_iptables_*.json"))
    assert files
    return [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))["texts"]]


def test_what_kube_proxys_unit_tests_generate_is_read_without_a_problem(shared: Path) -> None:
    for row in generated_rulesets(shared):
        for text in (row["expected"], row["generated"]):
            (ruleset,) = parse_iptables_save(row["test"], text, Family.IPV4)
            assert ruleset.complete
            deleted = {line.split()[1] for line in text.splitlines() if line.startswith("-X ")}
            assert deleted.isdisjoint(ruleset.tables["nat"].chains)
            expected = [line for line in lines_of(text) if RULE.match(line)]
            assert rules((ruleset,)) == expected


# -- anything that can be a rule, and anything that can not -------------------------------------------

PRINTABLE = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1)
BARE = PRINTABLE.filter(lambda text: text[0] not in "\"'!-\\:*#[")
QUOTED = st.text(st.characters(blacklist_categories=("Cs", "Cc"))).map(
    lambda text: '"' + re.sub(r"([\"'\\])", r"\\\1", text) + '"'
)
VALUE = BARE | QUOTED
FLAG = st.from_regex(r"--[a-z][a-z0-9-]{1,8}[a-z0-9]", fullmatch=True)
OPTION = st.builds(
    lambda negated, flag, values: " ".join([*(["!"] if negated else []), flag, *values]),
    st.booleans(),
    FLAG.filter(lambda flag: flag not in {"--goto", "--jump", "--match", "--table"}),
    st.lists(VALUE, min_size=1, max_size=3),
)
MATCH = st.builds(lambda name, options: " ".join(["-m", name, *options]), BARE, st.lists(OPTION))
SAVED_RULE = st.builds(
    lambda chain, matches, target: " ".join(["-A", chain, *matches, *target]),
    BARE,
    st.lists(MATCH, max_size=3),
    st.just([]) | st.builds(lambda name: ["-j", name], BARE),
)


@given(st.lists(SAVED_RULE, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_rule_prints_itself_back(lines: list[str]) -> None:
    text = "\n".join(["*filter", *lines * 3, "COMMIT", ""])
    (ruleset,) = parse_iptables_save("x", text, Family.IPV4)
    assert ruleset.problems == []
    assert print_ruleset(ruleset) == text


@given(
    st.text(
        st.characters(blacklist_categories=("Cs",)) | st.sampled_from("-:*#[]\"'\\\n\r\0\x1b A")
    )
)
@settings(max_examples=500, deadline=None)
def test_no_text_raises_and_what_was_read_prints_to_what_reads_the_same(text: str) -> None:
    for ruleset in parse_iptables_save("x", text, Family.IPV6):
        printed = print_ruleset(ruleset)
        again = parse_iptables_save("x", printed, Family.IPV6)
        assert "".join(map(print_ruleset, again)) == printed


@given(st.binary())
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise(data: bytes) -> None:
    assert parse_iptables_save("x", data.decode(errors="replace"), Family.IPV4)
    assert parse_iptables_save("x", data.decode("latin-1"), Family.IPV4)
    assert parse_iptables_save("x", data.decode(errors="surrogateescape"), Family.IPV4)

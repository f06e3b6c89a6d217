"""Every form of a rule: what is made of it, and that it prints itself back."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.model.ruleset import Family, Option, Rule
from analyzer.parse.iptables_save import parse_iptables_save

DATA = Path(__file__).parent.parent / "data" / "iptables"


def the_rule(line: str) -> Rule:
    """Return the one rule of a line."""
    (ruleset,) = parse_iptables_save("rules.txt", line + "\n", Family.IPV4)
    assert not ruleset.problems, ruleset.problems[0]
    (rule,) = [rule for table in ruleset.tables.values() for rule in table.rules()]
    return rule


def structure(rule: Rule) -> str:
    """Write a rule's parts with ` ; ` between them, an option's values behind `=` with ` | ` between them."""
    parts = [rule.chain]
    for match in rule.matches:
        name = [f"[{match.name}]"] if match.name else []
        parts.append(" ".join([*name, *map(option, match.options)]))
    if rule.target is not None:
        words = ["-g" if rule.goto else "-j", rule.target, *map(option, rule.target_options)]
        parts.append(" ".join(words))
    return " ; ".join(parts)


def option(option: Option) -> str:
    values = "=" + " | ".join(option.values) if option.values else ""
    return ("! " if option.negated else "") + option.flag + values


def forms() -> list[tuple[str, str]]:
    """Return the lines of the table and, indented below each, their structure."""
    text = (DATA / "rule-forms.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line, below.strip()) for line, below in zip(lines[::2], lines[1::2], strict=True)]


@pytest.mark.parametrize(("line", "expected"), forms())
def test_a_rule_has_these_matches_and_this_target(line: str, expected: str) -> None:
    assert structure(the_rule(line)) == expected


@pytest.mark.parametrize("line", [line for line, _ in forms()])
def test_a_rule_prints_itself_byte_for_byte(line: str) -> None:
    assert the_rule(line).text == line


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("--append INPUT -j ACCEPT", "-A INPUT -j ACCEPT"),
        ("-t nat -A OUTPUT -j ACCEPT", "-A OUTPUT -j ACCEPT"),
        ("-I INPUT -j ACCEPT", "-A INPUT -j ACCEPT"),
        ("-I INPUT 3 -j ACCEPT", "-A INPUT -j ACCEPT"),
        ("  [1:2]  -A INPUT -j ACCEPT\t", "-A INPUT -j ACCEPT"),
    ],
)
def test_the_ways_to_add_a_rule_print_alike(line: str, printed: str) -> None:
    assert the_rule(line).text == printed


@pytest.mark.parametrize(
    ("line", "counters"),
    [
        ("-A INPUT -j ACCEPT", None),
        ("[0:0] -A INPUT -j ACCEPT", (0, 0)),
        ("[12:18446744073709551615] -A INPUT -j ACCEPT", (12, 18446744073709551615)),
        ("-A INPUT -c 12 720 -j ACCEPT", (12, 720)),
        ("-A INPUT -j ACCEPT -c 12 720", (12, 720)),
        ("-A INPUT -j ACCEPT --set-counters 12 720", (12, 720)),
        ("-A INPUT -c many more -j ACCEPT", None),
    ],
)
def test_counters_stand_in_front_or_as_an_option(
    line: str, counters: tuple[int, int] | None
) -> None:
    assert the_rule(line).counters == counters


def test_values_are_found_by_the_option_and_negation_is_told_apart() -> None:
    rule = the_rule('-A X ! -s 10.0.0.0/8 -d 10.1.2.3/32 -m comment --comment "a \\"b\\"" -j DROP')
    assert (rule.value("-s"), rule.value("-d"), rule.value("-p")) == (
        "10.0.0.0/8",
        "10.1.2.3/32",
        None,
    )
    assert rule.has("! -s")
    assert not rule.has("-s")
    assert rule.has("-d")
    assert rule.comment == 'a "b"'


def test_the_first_option_of_a_spelling_gives_the_value() -> None:
    assert the_rule("-A X -m mark --mark 0x1 -m connmark --mark 0x2").value("--mark") == "0x1"


@pytest.mark.parametrize(
    ("line", "column", "expected"),
    [
        ('-A KUBE-SVC-DNS -d "10.96.0.1 -j X', 20, "closing quote"),
        ('-A X -m comment --comment "a"b -j X', 27, "closing quote"),
        ("-A INPUT rule1", 10, "an option or -m or -j"),
        ("-A INPUT -j", 12, "a name"),
        ("-A INPUT -m", 12, "the name of a match"),
        ("-A", 3, "a name"),
        ("-A INPUT -j ACC   EPT", 19, "an option"),
        ("-A INPUT -j ACCEPT -j DROP", 20, "an option"),
        ("-A INPUT -j ACCEPT -A OUTPUT -j DROP", 20, "an option"),
        ("-A INPUT -m comment --comment", 30, "a text"),
        ("-A INPUT -p tcp \\", 17, "the whole rule in one line"),
        ("-A INPUT -s !", 13, ""),
        ("  -A INPUT rule1", 12, "an option or -m or -j"),
        ("[1:x] -A INPUT", 1, "a rule (-A)"),
        ("garbage", 1, "a rule (-A)"),
        (":INPUT", 7, "a policy"),
        (":INPUT ACCEPTED [0:0]", 8, "a policy"),
        ("*nat -A X", 6, "the end of the line"),
        ("iptables: command not found", 1, "a rule (-A)"),
    ],
)
def test_what_is_no_rule_is_told_with_line_column_and_what_was_expected(
    line: str, column: int, expected: str
) -> None:
    text = f"*filter\n-A INPUT -j ACCEPT\n{line}\n-A INPUT -j DROP\nCOMMIT\n"
    (ruleset,) = parse_iptables_save("nodes/a/iptables-save.txt", text, Family.IPV4)
    (problem,) = ruleset.problems
    assert (problem.path, problem.line, problem.column) == ("nodes/a/iptables-save.txt", 3, column)
    assert expected in problem.expected
    assert problem.text == line
    assert [rule.line for rule in ruleset.rules("filter", "INPUT")] == [2, 4]
    assert not ruleset.complete

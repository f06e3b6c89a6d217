from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.model.node import ResolvConf
from analyzer.parse.resolv_conf import parse_resolv_conf

POD = "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"


def read(text: str) -> ResolvConf:
    parsed = parse_resolv_conf("resolv.conf", text)
    assert parsed.problems == ()
    return parsed.value


def test_a_pods_file_is_read_with_its_lines() -> None:
    conf = read(POD)
    assert [(a, s.line) for a, s in conf.nameservers] == [("10.96.0.10", 2)]
    assert conf.search == ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")
    assert conf.search_source is not None
    assert conf.search_source.line == 1
    assert conf.options == {"ndots": "5"}
    assert conf.options_source is not None
    assert conf.options_source.line == 3
    assert (conf.ndots, conf.path) == (5, "resolv.conf")


def test_an_empty_file_sets_nothing() -> None:
    conf = read("")
    assert (conf.nameservers, conf.search, conf.options, conf.ndots) == ((), (), {}, 1)
    assert (conf.search_source, conf.options_source) == (None, None)


@pytest.mark.parametrize(
    ("text", "search", "line"),
    [
        ("search a b\nsearch c", ("c",), 2),
        ("search a b\ndomain c", ("c",), 2),
        ("domain c\nsearch a b", ("a", "b"), 2),
        ("domain c d", ("c",), 1),
        ("search .", (".",), 1),
        ("search\ta.\t b ", ("a.", "b"), 1),
        ("search a # b", ("a", "#", "b"), 1),
        ("search a ; b", ("a", ";", "b"), 1),
    ],
)
def test_the_last_search_or_domain_wins(text: str, search: tuple[str, ...], line: int) -> None:
    conf = read(text)
    assert conf.search == search
    assert conf.search_source is not None
    assert conf.search_source.line == line


@pytest.mark.parametrize(
    ("text", "options", "line"),
    [
        (
            "options ndots:5 edns0\noptions timeout:1",
            {"ndots": "5", "edns0": "", "timeout": "1"},
            1,
        ),
        ("options ndots:5\noptions ndots:2", {"ndots": "2"}, 2),
        ("options rotate\noptions edns0", {"rotate": "", "edns0": ""}, 2),
        (
            "options rotate\noptions ndots:1\noptions edns0",
            {"rotate": "", "ndots": "1", "edns0": ""},
            2,
        ),
    ],
)
def test_options_add_up_and_the_line_of_ndots_is_their_source(
    text: str, options: dict[str, str], line: int
) -> None:
    conf = read(text)
    assert conf.options == options
    assert conf.options_source is not None
    assert conf.options_source.line == line


@pytest.mark.parametrize(
    "address", ["1.2.3.4", "fd00::a", "fe80::1%eth0", "::1", "1.2.3.4 # note", "1.2.3.4 5.6.7.8"]
)
def test_a_nameserver_is_the_first_word_and_what_follows_is_ignored(address: str) -> None:
    assert [a for a, _ in read(f"nameserver {address}").nameservers] == [address.partition(" ")[0]]


@pytest.mark.parametrize(
    "text", ["# c", "; c", "#nameserver 1.2.3.4", "   ", "sortlist 1.2.3.4/5", "lookup file bind"]
)
def test_comments_and_other_resolvers_keywords_set_nothing_and_are_no_problem(text: str) -> None:
    assert read(text) == read("")


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("nameserver 1.2.3.4.5", 12),
        ("nameserver <none>", 12),
        (" nameserver 1.2.3.4", 1),
        ("Nameserver 1.2.3.4", 1),
        ("NAMESERVER 1.2.3.4", 1),
        ("nameserver1.2.3.4", 11),
        ("nameserver", 1),
        ("search", 1),
        ("search ", 1),
        ("something unexpected", 1),
        ("cat: can't open '/etc/resolv.conf'", 1),
    ],
)
def test_what_a_resolver_skips_is_a_problem_and_the_rest_is_read(line: str, column: int) -> None:
    parsed = parse_resolv_conf("f", f"{line}\n{POD}")
    assert [(p.path, p.line, p.text) for p in parsed.problems] == [("f", 1, line)]
    assert parsed.problems[0].expected
    if column > 1:
        assert parsed.problems[0].column == column
    assert [a for a, _ in parsed.value.nameservers] == ["10.96.0.10"]


def test_a_carriage_return_is_reported_once_and_taken_off() -> None:
    parsed = parse_resolv_conf("f", POD.replace("\n", "\r\n"))
    assert parsed.value.search[-1] == "cluster.local"
    assert parsed.value.options == {"ndots": "5"}
    assert [(p.line, "carriage return" in p.message) for p in parsed.problems] == [(1, True)]


def test_strangers_files_have_two_lines_that_are_no_setting(shared: Path) -> None:
    files = sorted((shared / "realworld" / "resolv").glob("*"))
    if not files:
        pytest.skip("no ../shared/realworld/resolv")
    parsed = [parse_resolv_conf(f.name, f.read_bytes().decode(errors="replace")) for f in files]
    skipped = sorted(p.text for one in parsed for p in one.problems)
    assert skipped == ["something unexpected", "unrecognised thing"]
    assert sum(len(one.value.nameservers) for one in parsed) > len(files)

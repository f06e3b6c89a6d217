from __future__ import annotations

import time as clock
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from analyzer.model.log import Level, LogEntry
from analyzer.parse.klog import parse_log

DATA = Path(__file__).parent.parent / "data" / "parse"
COLLECTED = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HEAD = "E1123 02:51:17.929098   22231 server.go:255] "


def entries(text: str, collected_at: datetime | None = COLLECTED) -> tuple[LogEntry, ...]:
    parsed = parse_log("log", text, collected_at)
    assert parsed.problems == ()
    return parsed.value


def only(text: str) -> LogEntry:
    (entry,) = entries(text)
    return entry


# --- heads and bodies --------------------------------------------------------------------------------


def test_a_klog_head_gives_level_origin_clock_and_time() -> None:
    entry = only(HEAD + "Using iptables Proxier.")
    assert entry.level is Level.ERROR
    assert entry.origin == "server.go:255"
    assert entry.clock == "1123 02:51:17.929098"
    assert entry.time == datetime(2026, 11, 23, 2, 51, 17, 929098)  # noqa: DTZ001 - klog tells no zone
    assert (entry.message, entry.values) == ("Using iptables Proxier.", {})
    assert (entry.source.path, entry.source.line, entry.lines) == ("log", 1, 1)


@pytest.mark.parametrize(
    ("letter", "level"),
    [("I", Level.INFO), ("W", Level.WARNING), ("E", Level.ERROR), ("F", Level.FATAL)],
)
def test_the_letter_is_the_level(letter: str, level: Level) -> None:
    assert only(f"{letter}1123 02:51:17.929098       1 a.go:1] x").level is level


@pytest.mark.parametrize(
    ("body", "message", "values"),
    [
        pytest.param('"Failed"', "Failed", {}, id="no values"),
        pytest.param('"A" n=3 b=true', "A", {"n": "3", "b": "true"}, id="bare"),
        pytest.param(r'"A \"b\"" err="x \"y\"\n\tz"', 'A "b"', {"err": 'x "y"\n\tz'}, id="quoted"),
        pytest.param(r'"\u00e9\x41\xff\101" k=""', "éA\ufffdA", {"k": ""}, id="go escapes"),
        pytest.param(
            '"A" e=["a:1","b 2"] n=[]', "A", {"e": '["a:1","b 2"]', "n": "[]"}, id="lists"
        ),
        pytest.param(
            '"A" old=[] new=[{IP: Host:local Ports:[]}] m=map[a:b c:d] p=&{x y}',
            "A",
            {"old": "[]", "new": "[{IP: Host:local Ports:[]}]", "m": "map[a:b c:d]", "p": "&{x y}"},
            id="%+v",
        ),
        pytest.param(
            '"A" j={"a":"} x=1","b":[1]} z=<nil>',
            "A",
            {"j": '{"a":"} x=1","b":[1]}', "z": "<nil>"},
            id="json",
        ),
        pytest.param(
            '"dual-stack mode" primary ipFamily="IPv6"',
            "dual-stack mode",
            {"primary ipFamily": "IPv6"},
            id="key with a blank",
        ),
        pytest.param(
            '"A" logger="x" a= b=1', "A", {"logger": "x", "a": "", "b": "1"}, id="no value"
        ),
        pytest.param('"A" err="cut in the mid', "A", {"err": "cut in the mid"}, id="cut string"),
        pytest.param('"A" v={unbalanced b=1', "A", {"v": "{unbalanced b=1"}, id="unbalanced"),
        pytest.param('"A" a=1 and more', "A", {"a": "1 and more"}, id="trailing words"),
        pytest.param('"A" a=1 a=2', "A", {"a": "2"}, id="the last of a key"),
        pytest.param(
            '"shop/web" is not known', '"shop/web" is not known', {}, id="quote in a plain text"
        ),
        pytest.param('Flag proxy-mode="" unknown', 'Flag proxy-mode="" unknown', {}, id="plain"),
        pytest.param("", "", {}, id="empty"),
    ],
)
def test_bodies(body: str, message: str, values: dict[str, str]) -> None:
    entry = only(HEAD + body)
    assert (entry.message, entry.values) == (message, values)


def test_text_joins_message_and_values_for_searching() -> None:
    assert only(HEAD + '"Failed to list" err="x"').text == "Failed to list err=x"


# --- carriers ----------------------------------------------------------------------------------------

ENTRY = 'E1123 02:51:17.929098       1 a.go:1] "Failed" err="x"'
AT = datetime(2026, 11, 23, 2, 51, 17, 929098)  # noqa: DTZ001 - naive, as klog
MINUS_5 = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("prefix", "time"),
    [
        pytest.param("", AT, id="none"),
        pytest.param(
            "2019-10-11T06:22:27.231451477Z stderr F ",
            datetime(2019, 10, 11, 6, 22, 27, 231451, UTC),
            id="CRI",
        ),
        pytest.param(
            "2026-11-22T21:51:17.9-05:00 stdout F ",
            datetime(2026, 11, 22, 21, 51, 17, 900000, MINUS_5),
            id="CRI with a zone",
        ),
        pytest.param(
            "2026-11-23T02:51:18Z ", datetime(2026, 11, 23, 2, 51, 18, 0, UTC), id="--timestamps"
        ),
        pytest.param("2021-06-01T16:15:39.833795 ", AT.replace(year=2021), id="stamp without zone"),
        pytest.param("[pod/kube-proxy-x/kube-proxy] ", AT, id="--prefix"),
        pytest.param(
            "[pod/kube-proxy-x/kube-proxy] 2026-11-23T02:51:18Z ",
            datetime(2026, 11, 23, 2, 51, 18, 0, UTC),
            id="--prefix --timestamps",
        ),
        pytest.param("kube-proxy-x kube-proxy ", AT, id="stern"),
        pytest.param("    ", AT, id="indented"),
        pytest.param("Nov 23 02:51:18 node kube-proxy[12085]: ", AT, id="journald short"),
        pytest.param("Nov  3 02:51:18.123456 node kubelet[1]: ", AT, id="journald short-precise"),
        pytest.param("Nov 23 02:51:18 node docker[6506]: ", AT, id="syslog"),
        pytest.param("<13>Nov 23 02:51:18 node kubelet: ", AT, id="syslog without process"),
        pytest.param(
            "2026-11-23T02:51:18+0000 node kubelet[1]: ",
            datetime(2026, 11, 23, 2, 51, 18, 0, UTC),
            id="journald short-iso",
        ),
        pytest.param(
            "2026-11-23T02:51:18.123456+00:00 node kubelet[1]: ",
            datetime(2026, 11, 23, 2, 51, 18, 123456, UTC),
            id="journald short-iso-precise",
        ),
        pytest.param(
            "Mon 2026-11-23 02:51:18 UTC node kubelet[1]: ",
            datetime(2026, 11, 23, 2, 51, 18, 0, UTC),
            id="journald short-full",
        ),
        pytest.param(
            "1513184439.726499 node kubelet[1]: ",
            datetime(2017, 12, 13, 17, 0, 39, 726499, UTC),
            id="journald short-unix",
        ),
        pytest.param("[12345.678901] node kubelet[1]: ", AT, id="journald short-monotonic"),
        pytest.param("MESSAGE=", AT, id="journald export"),
    ],
)
def test_a_carrier_is_taken_off_and_lends_its_time(prefix: str, time: datetime) -> None:
    entry = only(prefix + ENTRY)
    assert (entry.level, entry.message, entry.values) == (Level.ERROR, "Failed", {"err": "x"})
    assert entry.clock == "1123 02:51:17.929098"
    assert entry.time == time


def test_the_pieces_of_a_cri_line_are_joined_at_the_first() -> None:
    stamp = "2026-11-23T02:51:18Z stderr"
    text = f'{stamp} P {HEAD}"Fai\n{stamp} P led" er\n{stamp} F r="x"\n{stamp} F {ENTRY}'
    first, second = entries(text)
    assert (first.source.line, first.message, first.values) == (1, "Failed", {"err": "x"})
    assert second.source.line == 4


def test_pieces_of_the_two_streams_do_not_mix() -> None:
    stamp = "2026-11-23T02:51:18Z"
    text = f"{stamp} stderr P {HEAD}one \n{stamp} stdout F {HEAD}two\n{stamp} stderr F more"
    assert {entry.message for entry in entries(text)} == {"one more", "two"}


def test_a_missing_last_piece_is_a_truncation() -> None:
    parsed = parse_log("log", f"2026-11-23T02:51:18Z stderr P {HEAD}cut", COLLECTED)
    assert [entry.message for entry in parsed.value] == ["cut"]
    assert [(p.line, p.truncation) for p in parsed.problems] == [(1, True)]


def test_docker_json_lines_are_unwrapped_and_their_pieces_joined() -> None:
    text = (
        '{"log":"E1123 02:51:17.929098       1 a.go:1] \\"Fai","stream":"stderr","time":"2017-09-26T11:59:07.1Z"}\n'
        '{"log":"led\\" err=\\"x\\"\\n","stream":"stderr","time":"2017-09-26T11:59:07.2Z"}'
    )
    entry = only(text)
    assert (entry.message, entry.values) == ("Failed", {"err": "x"})
    assert entry.time == datetime(2017, 9, 26, 11, 59, 7, 100000, UTC)


@pytest.mark.parametrize("message", [f'"{HEAD}x"', str([*f"{HEAD}x".encode()])])
def test_journald_json_has_its_message_as_text_or_as_bytes(message: str) -> None:
    entry = only(
        f'{{"__REALTIME_TIMESTAMP":"1513184439726499","_PID":"1","SYSLOG_IDENTIFIER":"kubelet","MESSAGE":{message}}}'
    )
    assert (entry.message, entry.time) == ("x", datetime(2017, 12, 13, 17, 0, 39, 726499, UTC))


def test_headers_of_journalctl_are_no_entries() -> None:
    text = "-- Logs begin at Mon 2021-09-13 14:42:22 UTC, end at Mon 2021-09-13 15:34:09 UTC. --\n-- No entries --\n"
    assert entries(text + "-- Boot 4a5b --\n_SYSTEMD_UNIT=kubelet.service\nPRIORITY=6\n") == ()


# --- entries of other writers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "level", "message", "values"),
    [
        pytest.param(
            '{"ts":1580306777.04728,"v":4,"msg":"Sync","pod":{"name":"a"}}',
            Level.INFO,
            "Sync",
            {"pod": '{"name":"a"}'},
            id="component-base info",
        ),
        pytest.param(
            '{"ts":1580306777047.28,"caller":"a.go:1","msg":"Failed","err":"x"}',
            Level.ERROR,
            "Failed",
            {"err": "x"},
            id="component-base error",
        ),
        pytest.param('{"level":"warn","msg":"w","n":1}', Level.WARNING, "w", {"n": "1"}, id="zap"),
        pytest.param(
            'time="2026-11-23T02:51:18Z" level=error msg="Could not \\"x\\"" handle=/a b=1',
            Level.ERROR,
            'Could not "x"',
            {"handle": "/a", "b": "1"},
            id="logrus",
        ),
        pytest.param(
            "level=info ts=2022-01-03T12:52:54.9Z caller=a.go:1 msg=x",
            Level.INFO,
            "x",
            {},
            id="go-kit",
        ),
        pytest.param(
            "[ERROR] plugin/errors: 2 x. A: i/o timeout",
            Level.ERROR,
            "plugin/errors: 2 x. A: i/o timeout",
            {},
            id="CoreDNS",
        ),
        pytest.param(
            "2019-01-01T00:00:00.000Z [FATAL] plugin/loop: Loop",
            Level.FATAL,
            "plugin/loop: Loop",
            {},
            id="CoreDNS with a stamp",
        ),
        pytest.param(".:53", Level.UNKNOWN, ".:53", {}, id="CoreDNS banner"),
        pytest.param("{no json}", Level.UNKNOWN, "{no json}", {}, id="braces"),
        pytest.param(
            "iptables v1.6.2: can't initialize",
            Level.UNKNOWN,
            "iptables v1.6.2: can't initialize",
            {},
            id="bare text",
        ),
    ],
)
def test_entries_of_other_writers(
    line: str, level: Level, message: str, values: dict[str, str]
) -> None:
    entry = only(line)
    assert (entry.level, entry.message, entry.values) == (level, message, values)


@pytest.mark.parametrize("stamp", ["1580306777.5", "1580306777500", '"2020-01-29T14:06:17.5Z"'])
def test_a_json_stamp_may_be_seconds_milliseconds_or_text(stamp: str) -> None:
    entry = only(f'{{"ts":{stamp},"v":0,"msg":"x","caller":"a.go:7"}}')
    assert entry.time == datetime(2020, 1, 29, 14, 6, 17, 500000, UTC)
    assert entry.origin == "a.go:7"


# --- entries of several lines ------------------------------------------------------------------------


def test_a_block_value_goes_on_to_its_closing_line() -> None:
    text = f'{HEAD}"Failed" err=<\n\texit status 2\n\tline: 367\n > ipFamily="IPv6"\n{HEAD}next'
    first, second = entries(text)
    assert first.values == {"err": "exit status 2\nline: 367", "ipFamily": "IPv6"}
    assert (first.lines, second.source.line) == (4, 5)


def test_one_block_may_follow_another() -> None:
    entry = only(f'{HEAD}"F" a=<\n\t1\n > b=<\n\t2\n\t\tx\n >')
    assert entry.values == {"a": "1", "b": "2\n\tx"}


def test_a_block_line_that_lost_its_tab_keeps_its_letters() -> None:
    entry = only(f'{HEAD}"F" err=<\nfirst\n\n\tthird\n >')
    assert entry.values == {"err": "first\n\nthird"}


def test_a_block_in_journal_records_is_joined() -> None:
    prefix = "Nov 23 02:51:18 node kubelet[1]: "
    entry = only(f'{prefix}{HEAD}"F" err=<\n{prefix}\tone\n{prefix} >')
    assert (entry.values, entry.lines) == ({"err": "one"}, 3)


@pytest.mark.parametrize(("after", "truncation"), [("", True), (f"\n{HEAD}next", False)])
def test_a_block_without_end_is_a_problem_and_keeps_its_lines(
    after: str, *, truncation: bool
) -> None:
    parsed = parse_log("log", f'{HEAD}"Failed" err=<\n\tone\n\ttwo{after}', COLLECTED)
    assert parsed.value[0].values == {"err": "one\ntwo"}
    assert [(p.line, p.truncation) for p in parsed.problems] == [(1, truncation)]


def test_rules_printed_below_a_plain_message_belong_to_it() -> None:
    text = (
        f"{HEAD}Failed to execute iptables-restore: exit status 2 (iptables-restore v1.8.4 (nf_tables): \n"
        "line 5: CHAIN_USER_DEL failed\n)\nRules:\n*filter\n:KUBE-SERVICES - [0:0]\n\nCOMMIT\n\n"
        f"{HEAD}Sync failed"
    )
    first, second = entries(text)
    assert first.message.endswith("Rules:\n*filter\n:KUBE-SERVICES - [0:0]\n\nCOMMIT")
    assert (first.lines, second.message) == (8, "Sync failed")


def test_lines_below_a_structured_message_are_entries_of_their_own() -> None:
    levels = [(e.level, e.message) for e in entries(f'{HEAD}"Failed" err="x"\nFoo\nbar')]
    assert levels == [(Level.ERROR, "Failed"), (Level.UNKNOWN, "Foo"), (Level.UNKNOWN, "bar")]


@pytest.mark.parametrize("line", ["Flag --port has been deprecated", "panic: x", "fatal error: y"])
def test_some_lines_open_an_entry_even_below_a_plain_message(line: str) -> None:
    assert [e.message for e in entries(f"{HEAD}plain\n{line}")] == ["plain", line]


def test_a_crash_is_one_entry_up_to_the_next_head() -> None:
    crash = "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:1 +0x1"
    first, second = entries(f"{crash}\n{HEAD}next")
    assert (first.message, first.level, second.message) == (crash, Level.UNKNOWN, "next")


def test_another_process_does_not_continue_an_entry() -> None:
    text = f"Nov 23 02:51:18 n kubelet[1]: {HEAD}plain\nNov 23 02:51:18 n systemd[1]: kubelet.service: failed"
    assert [e.message for e in entries(text)] == ["plain", "kubelet.service: failed"]


def test_blank_lines_are_no_entries() -> None:
    assert entries("\n  \n\t\n") == ()
    assert len(entries(f"\n{HEAD}a\n\n{HEAD}b\n\n")) == 2


def test_a_carriage_return_alone_ends_a_line_as_in_editors() -> None:
    found = entries(f"{HEAD}a\r{HEAD}b\n{HEAD}c")
    assert [(e.message, e.source.line) for e in found] == [("a", 1), ("b", 2), ("c", 3)]


def test_line_endings_of_windows_are_no_part_of_a_value() -> None:
    assert [e.message for e in entries(f"{HEAD}a\r\n{HEAD}b\r\n")] == ["a", "b"]


# --- years -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("collected", "stamp", "expected"),
    [
        ("2026-11-23T03:00:00+00:00", "1123 02:51:17.000000", "2026-11-23T02:51:17"),
        ("2026-01-02T03:00:00+00:00", "1231 23:59:59.000000", "2025-12-31T23:59:59"),
        ("2026-01-02T03:00:00+00:00", "0102 02:00:00.000000", "2026-01-02T02:00:00"),
        ("2026-12-31T23:30:00+00:00", "0101 00:10:00.000000", "2027-01-01T00:10:00"),
        ("2026-11-23T03:00:00+00:00", "0229 00:00:00.000000", "2024-02-29T00:00:00"),
    ],
)
def test_the_year_comes_from_the_time_of_collection(
    collected: str, stamp: str, expected: str
) -> None:
    (entry,) = entries(f"I{stamp}       1 a.go:1] x", datetime.fromisoformat(collected))
    assert entry.time == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("carrier", "stamp", "year"),
    [
        ("2020-12-31T23:59:59", "0101", 2021),
        ("2021-01-01T00:00:01", "1231", 2020),
        ("2020-06-01T00:00:00", "0601", 2020),
    ],
)
def test_a_carrier_without_zone_lends_its_year_across_new_year(
    carrier: str, stamp: str, year: int
) -> None:
    entry = only(f"{carrier} I{stamp} 02:51:17.929098       1 a.go:1] x")
    assert entry.time is not None
    assert entry.time.year == year


@pytest.mark.parametrize(
    "stamp", ["0231 00:00:00.000000", "1123 25:00:00.000000", "9999 99:99:99.999999"]
)
def test_a_day_that_never_was_has_no_time(stamp: str) -> None:
    entry = only(f"I{stamp}       1 a.go:1] x")
    assert (entry.time, entry.clock) == (None, stamp)


def test_without_a_time_of_collection_klog_has_no_time() -> None:
    (entry,) = entries(HEAD + "x", None)
    assert entry.time is None


# --- files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "unable to retrieve container logs for containerd://da06",
        'Error from server (NotFound): pods "x" not found',
        "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
    ],
)
def test_an_error_of_kubectl_is_a_problem_and_no_entry(line: str) -> None:
    parsed = parse_log("log", line, COLLECTED)
    assert parsed.value == ()
    assert [(p.line, p.text) for p in parsed.problems] == [(1, line)]


def test_an_empty_log_has_no_entries_and_no_problems() -> None:
    assert entries("") == ()


@pytest.mark.parametrize(
    ("name", "count", "messages"),
    [
        ("kube-proxy-1.14.log", 41, ["Using iptables Proxier."]),
        (
            "kube-proxy-1.30.log",
            58,
            ["Using iptables Proxier", "Failed to delete stale service connections"],
        ),
        ("kube-proxy-1.36-nftables.log", 39, ["Failed to list existing nftables objects"]),
    ],
)
def test_logs_of_real_kube_proxies(name: str, count: int, messages: list[str]) -> None:
    found = entries((DATA / name).read_text())
    assert len(found) == count
    assert not [entry for entry in found if entry.level is Level.UNKNOWN or not entry.origin]
    assert set(messages) <= {entry.message for entry in found}


def test_the_nftables_block_of_1_36_is_read() -> None:
    found = entries((DATA / "kube-proxy-1.36-nftables.log").read_text())
    blocks = [e.values for e in found if e.message == "Failed to list existing nftables objects"]
    assert [values["ipFamily"] for values in blocks] == ["IPv4", "IPv6"]
    assert blocks[0]["err"].split("\n")[0] == "failed to run nft: Error: No such file or directory"


@pytest.mark.parametrize(
    "line",
    [
        "x" * 1_000_000,
        HEAD + '"A" k="' + "\\" * 999_999,
        HEAD + '"A"' + " k=(" * 250_000,
        HEAD + '"A" k=' + "[" * 999_999,
        HEAD + '"A" k=(((((' + "(x)" * 300_000,
        HEAD + '"A" ' + "k" * 999_999,
        HEAD + '"A"' + " " * 999_999,
        "{" * 1_000_000,
        "{" + "}x" * 500_000,
        '{"a":' * 200_000,
        "time=" + "a" * 1_000_000,
        "-- " + "- " * 500_000,
        "a " * 500_000,
        "[pod/" + "x" * 1_000_000,
    ],
    ids=range(14),
)
def test_a_line_of_a_million_characters_takes_no_longer_than_its_length(line: str) -> None:
    start = clock.process_time()
    parse_log("log", line, COLLECTED)
    assert clock.process_time() - start < 2


def test_strangers_logs_are_read_but_for_lines_without_a_head(shared: Path) -> None:
    files = sorted((shared / "realworld" / "logs").glob("*"))
    if not files:
        pytest.skip("no ../shared/realworld/logs")
    parsed = [parse_log(f.name, f.read_bytes().decode(errors="replace"), COLLECTED) for f in files]
    problems = [problem.message for one in parsed for problem in one.problems]
    assert problems == ["an error of kubectl"] * 2
    found = [entry for one in parsed for entry in one.value]
    unknown = [entry for entry in found if entry.level is Level.UNKNOWN]
    # Shell traces, systemd's and etcd's own lines, pieces of lines that journald cut
    assert (len(found), len(unknown)) == (6995, 884)
    assert not [e for e in found if e.clock and not e.origin]


def test_captured_logs_have_no_line_without_a_head(shared: Path) -> None:
    logs = sorted((shared / "captures").rglob("*.log"))
    if not logs:
        pytest.skip("no logs in ../shared/captures")
    for log in logs:
        parsed = parse_log(log.name, log.read_text(), COLLECTED)
        assert parsed.problems == ()
        assert not [e.message for e in parsed.value if e.level is Level.UNKNOWN]

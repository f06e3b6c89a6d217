from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analyzer.observe.proxy_log import ProxyLog, Topic, read_proxy_log
from analyzer.parse.klog import parse_log

MADE = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

REFUSED = (
    "E reflector.go:1] f.go:1: Failed to list *v1.Service: Get https://10.0.0.1:6443/api/v1/services: "
    "dial tcp 10.0.0.1:6443: connect: connection refused"
)
LISTED = 'I reflector.go:1] "Caches populated" type="*v1.Service"'
RESTORE = 'E proxier.go:1] "Failed to execute iptables-restore" err="exit status 1"'
RESTORE_V4 = f'{RESTORE} ipFamily="IPv4"'
DONE = 'I proxier.go:1] "SyncProxyRules complete" elapsed="10ms"'
DONE_V4 = f'{DONE} ipFamily="IPv4"'
DONE_V6 = f'{DONE} ipFamily="IPv6"'
SLOW = 'I proxier.go:1] "SyncProxyRules complete" elapsed="1m2.5s"'
NODE = 'E server.go:1] "Failed to retrieve node info" err="nodes \\"n9\\" not found"'
FOUND = 'I server.go:1] "Successfully retrieved node IP(s)" IPs=["10.0.0.1"]'
FATAL = 'E run.go:74] "command failed" err="can\'t use the IPVS proxier"'
STARTED = 'I server_linux.go:1] "Using iptables Proxier"'
QUIET = 'I config.go:1] "Calling handler.OnServiceAdd"'


def read(*lines: str, clock: str = "11:59:00", made: datetime | None = MADE) -> ProxyLog:
    """Return the log of lines `LEVEL file:line] message`, each optionally after `HH:MM:SS `."""
    text = ""
    for line in lines:
        time, _, rest = line.partition(" ") if line[:1].isdigit() else (clock, "", line)
        text += f"{rest[0]}1123 {time}.000000       1 {rest[2:]}\n"
    return read_proxy_log(parse_log("kube-proxy.log", text, MADE).value, made)


@pytest.mark.parametrize(
    ("topic", "lines", "over"),
    [
        pytest.param(Topic.API_UNREACHABLE, (LISTED, REFUSED), False, id="lost after a list"),
        pytest.param(Topic.API_UNREACHABLE, (REFUSED, LISTED), True, id="a list came later"),
        pytest.param(
            Topic.API_UNREACHABLE, (REFUSED, f"12:08:00 {QUIET}"), False, id="9 min silent"
        ),
        pytest.param(
            Topic.API_UNREACHABLE, (REFUSED, f"12:10:00 {QUIET}"), True, id="11 min silent"
        ),
        pytest.param(Topic.RESTORE_FAILED, (RESTORE, DONE), False, id="the end of the failed one"),
        pytest.param(
            Topic.RESTORE_FAILED, (RESTORE, DONE, DONE, DONE), False, id="the other family"
        ),
        pytest.param(Topic.RESTORE_FAILED, (RESTORE, *[DONE] * 4), False, id="three went well"),
        pytest.param(Topic.RESTORE_FAILED, (RESTORE, *[DONE] * 5), True, id="four went well"),
        pytest.param(Topic.RESTORE_FAILED, (RESTORE_V4, *[DONE_V4] * 2), False, id="IPv4 once"),
        pytest.param(
            Topic.RESTORE_FAILED,
            (RESTORE_V4, DONE_V4, *[DONE_V6] * 9),
            False,
            id="only IPv6 went well",
        ),
        pytest.param(Topic.RESTORE_FAILED, (RESTORE_V4, *[DONE_V4] * 3), True, id="IPv4 again"),
        pytest.param(
            Topic.RESTORE_FAILED,
            (*[RESTORE, DONE] * 5, RESTORE),
            False,
            id="failing again and again",
        ),
        pytest.param(Topic.RESTORE_FAILED, (RESTORE, LISTED), False, id="a list writes no rules"),
        pytest.param(Topic.NODE_UNKNOWN, (NODE, LISTED, DONE), False, id="works with a wrong name"),
        pytest.param(
            Topic.NODE_UNKNOWN, (NODE, f"23:00:00 {QUIET}"), False, id="the name stays wrong"
        ),
        pytest.param(Topic.NODE_UNKNOWN, (NODE, FOUND), True, id="node registered later"),
        pytest.param(Topic.START_FAILED, (STARTED, FATAL), False, id="ended"),
        pytest.param(Topic.START_FAILED, (FATAL, STARTED), True, id="started after that"),
    ],
)
def test_trouble_is_current_until_the_log_shows_the_contrary(
    topic: Topic, lines: tuple[str, ...], over: bool
) -> None:
    assert (read(*lines).current(topic) is None) is over


@pytest.mark.parametrize(
    ("clock", "over"),
    [
        pytest.param("11:50:00", False, id="ten minutes before the bundle"),
        pytest.param("11:15:00", True, id="45 minutes, no zone is between"),
        pytest.param("11:00:30", False, id="an hour, or the zone one hour west"),
        pytest.param("06:15:00", True, id="hours and no zone"),
        pytest.param("13:00:00", False, id="east of Greenwich"),
    ],
)
def test_a_log_that_fell_silent_long_before_the_bundle_shows_nothing_current(
    clock: str, over: bool
) -> None:
    assert (read(REFUSED, clock=clock).current(Topic.API_UNREACHABLE) is None) is over


def test_no_zone_explains_a_whole_day() -> None:
    log = read(REFUSED, clock="11:59:00", made=MADE + timedelta(days=1))
    assert log.current(Topic.API_UNREACHABLE) is None


def test_a_time_with_zone_needs_no_guess() -> None:
    lines = "2026-11-23T11:00:30.1Z stderr F E1123 11:00:30.000000       1 " + REFUSED[2:]
    log = read_proxy_log(parse_log("kube-proxy.log", lines, MADE).value, MADE)
    assert log.current(Topic.API_UNREACHABLE) is None


def test_without_the_bundles_date_nothing_ages() -> None:
    lines = "E1123 06:15:00.000000       1 " + REFUSED[2:]
    log = read_proxy_log(parse_log("kube-proxy.log", lines, None).value, None)
    assert log.current(Topic.API_UNREACHABLE) is not None


def test_lines_with_and_without_zone_are_not_compared() -> None:
    wrapped = "2026-11-23T11:59:30.1Z stderr F I1123 11:59:30.000000       1 " + QUIET[2:]
    text = "E1123 11:59:00.000000       1 " + REFUSED[2:] + "\n" + wrapped
    log = read_proxy_log(parse_log("kube-proxy.log", text, MADE).value, MADE)
    assert log.current(Topic.API_UNREACHABLE) is not None


def test_an_occurrence_counts_and_keeps_first_and_last() -> None:
    found = read(REFUSED, QUIET, REFUSED, REFUSED).occurrences[Topic.API_UNREACHABLE]
    assert (found.count, found.first.source.line, found.last.source.line) == (3, 1, 4)


def test_slow_writes_are_counted_with_what_came_after() -> None:
    syncs = read(DONE, SLOW, "I p.go:1] syncProxyRules took 21.4s", DONE, DONE).syncs
    assert (syncs.slow, syncs.slowest_seconds, syncs.finished_since_slow) == (2, 62.5, 2)
    assert syncs.slowest is not None
    assert syncs.slowest.source.line == 2


@pytest.mark.parametrize(
    ("lines", "good"),
    [
        pytest.param((RESTORE, DONE) * 3, 0, id="every write fails"),
        pytest.param((DONE, DONE, RESTORE, DONE), 0, id="before the failure"),
        pytest.param((RESTORE, DONE, DONE, RESTORE, DONE), 1, id="now and then one succeeds"),
    ],
)
def test_good_writes_since_the_first_failure_are_counted(lines: tuple[str, ...], good: int) -> None:
    assert read(*lines).syncs.good_since_first_failure == good


def test_a_start_that_failed_for_the_api_is_told_apart() -> None:
    refused = read(
        'E run.go:74] "command failed" err="Get \\"https://10.0.0.1:6443/api\\": dial tcp: connection refused"'
    )
    last = refused.last(Topic.START_FAILED)
    assert last is not None
    assert ProxyLog.about_api(last)
    other = read(FATAL).last(Topic.START_FAILED)
    assert other is not None
    assert not ProxyLog.about_api(other)


def test_an_empty_log_was_not_read() -> None:
    log = read()
    assert not log.read
    assert log.current(Topic.API_UNREACHABLE) is None

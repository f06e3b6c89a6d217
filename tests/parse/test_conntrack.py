"""`conntrack -L` as connections."""

from __future__ import annotations

import pytest

from analyzer.model.conntrack import ConntrackFlow
from analyzer.parse.conntrack import parse_conntrack

_TCP = (
    "tcp      6 114 TIME_WAIT src=10.244.0.2 dst=10.101.248.4 sport=45122 dport=5432 "
    "src=10.244.1.13 dst=10.244.0.2 sport=5432 dport=45122 [ASSURED] mark=0 use=1"
)
_UDP = (
    "udp      17 22 src=10.244.2.4 dst=10.96.0.10 sport=55036 dport=53 [UNREPLIED] "
    "src=10.244.0.8 dst=10.244.2.4 sport=53 dport=55036 mark=0 use=1"
)
_PROC = "ipv6     10 " + _TCP.replace("10.101.248.4", "fd00:10:96::5")
_ICMP = "icmp     1 29 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=7 src=2.2.2.2 dst=1.1.1.1 type=0 code=0 id=7 use=1"


def test_reads_both_directions_with_state_and_flags() -> None:
    (entry,) = parse_conntrack("conntrack.txt", _TCP).value
    assert (entry.protocol, entry.state, entry.timeout) == ("tcp", "TIME_WAIT", 114)
    assert entry.original == ConntrackFlow("10.244.0.2", 45122, "10.101.248.4", 5432)
    assert entry.reply == ConntrackFlow("10.244.1.13", 5432, "10.244.0.2", 45122)
    assert entry.flags == {"ASSURED"}
    assert entry.translated


@pytest.mark.parametrize(
    ("line", "state", "translated"),
    [(_UDP, "", True), (_PROC, "TIME_WAIT", True), (_ICMP, "", False)],
    ids=["udp", "as in /proc", "icmp has no ports"],
)
def test_reads_other_protocols_and_forms(line: str, state: str, translated: bool) -> None:
    found = parse_conntrack(
        "conntrack.txt", f"{line}\nconntrack v1.4.7 (conntrack-tools): 1 flow entries\n"
    )
    assert not found.problems
    (entry,) = found.value
    assert (entry.state, entry.translated) == (state, translated)


@pytest.mark.parametrize(
    "line",
    [
        "conntrack: command not found",
        "tcp 6 114 src=1.1.1.1 dst=2.2.2.2",
        _TCP.replace("=5432", "=5432000"),
    ],
    ids=["error message", "cut off", "no port"],
)
def test_tells_what_it_cannot_read_and_keeps_the_rest(line: str) -> None:
    found = parse_conntrack("conntrack.txt", f"{_UDP}\n{line}\n")
    assert [p.line for p in found.problems] == [2]
    assert len(found.value) == 1

from __future__ import annotations

import pytest

from analyzer.parse.sockets import parse_sockets

SS = """\
Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess
udp   UNCONN 0      0      127.0.0.53%lo:53         0.0.0.0:*    users:(("systemd-resolve",pid=1,fd=12))
tcp   LISTEN 0      4096       127.0.0.1:10249      0.0.0.0:*
tcp   LISTEN 0      4096               *:10256            *:*
tcp   LISTEN 0      4096            [::]:22            [::]:*
tcp   LISTEN 0      4096  [fe80::1]%eth0:546            *:*
u_str LISTEN 0      128     /run/x.sock 123               * 0
"""
NETSTAT = """\
Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      1/sshd
tcp6       0      0 :::10250                :::*                    LISTEN      2/kubelet
tcp        0      0 10.0.0.1:22             10.0.0.2:51000          ESTABLISHED 1/sshd
udp        0      0 0.0.0.0:68              0.0.0.0:*                           -
"""


def found(text: str) -> list[tuple[str, str, int, int]]:
    parsed = parse_sockets("sockets.txt", text)
    assert parsed.problems == ()
    return [(s.protocol, s.address, s.port, s.source.line) for s in parsed.value]


def test_ss() -> None:
    assert found(SS) == [
        ("UDP", "127.0.0.53", 53, 2),
        ("TCP", "127.0.0.1", 10249, 3),
        ("TCP", "*", 10256, 4),
        ("TCP", "::", 22, 5),
        ("TCP", "fe80::1", 546, 6),
    ]


def test_ss_without_the_column_of_protocols() -> None:
    text = "State  Recv-Q Send-Q Local Address:Port Peer Address:Port\nLISTEN 0 128 *:80 *:*\nUNCONN 0 0 *:53 *:*\n"
    assert found(text) == [("TCP", "*", 80, 2), ("UDP", "*", 53, 3)]


def test_netstat_without_connections() -> None:
    assert found(NETSTAT) == [
        ("TCP", "0.0.0.0", 22, 3),
        ("TCP", "::", 10250, 4),
        ("UDP", "0.0.0.0", 68, 6),
    ]


def test_a_header_alone_is_an_answer() -> None:
    assert found(SS.splitlines()[0]) == []


@pytest.mark.parametrize(
    "line", ["sh: ss: not found", "tcp LISTEN 0 1 x y", "tcp LISTEN 0 1 *:99999 x", "-"]
)
def test_other_lines_are_problems(line: str) -> None:
    parsed = parse_sockets("f", f"{line}\n{SS}")
    assert [(p.line, p.text) for p in parsed.problems] == [(1, line)]
    assert len(parsed.value) == 5

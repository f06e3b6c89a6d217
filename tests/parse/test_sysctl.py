from __future__ import annotations

import pytest

from analyzer.parse.sysctl import parse_sysctls


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("net.ipv4.ip_forward = 1", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_forward=1", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_forward =", "net.ipv4.ip_forward", ""),
        (
            "net.ipv4.ip_local_port_range = 32768\t60999 ",
            "net.ipv4.ip_local_port_range",
            "32768\t60999",
        ),
        ("net.ipv4.conf.eth0/100.rp_filter = 2", "net.ipv4.conf.eth0/100.rp_filter", "2"),
        ("net/ipv4/conf/eth0.100/rp_filter = 2", "net.ipv4.conf.eth0/100.rp_filter", "2"),
        ("/proc/sys/net/ipv4/conf/eth0.100/rp_filter:2", "net.ipv4.conf.eth0/100.rp_filter", "2"),
        ("/proc/sys/net/ipv4/ip_forward = 1", "net.ipv4.ip_forward", "1"),
        ("net.ipv4.conf.eth0:1.rp_filter = 0", "net.ipv4.conf.eth0:1.rp_filter", "0"),
        ("kernel.core_pattern = |/bin/x a=b", "kernel.core_pattern", "|/bin/x a=b"),
    ],
)
def test_a_setting_has_its_dotted_name(line: str, name: str, value: str) -> None:
    parsed = parse_sysctls("sysctl.txt", f"# head\n{line}\r\n")
    assert parsed.problems == ()
    (sysctl,) = parsed.value.values()
    assert (sysctl.name, sysctl.value, sysctl.source.line) == (name, value, 2)
    assert parsed.value.keys() == {name}


def test_the_last_value_of_a_name_counts() -> None:
    assert parse_sysctls("f", "a.b = 1\na.b = 2").value["a.b"].value == "2"


@pytest.mark.parametrize(
    "line",
    [
        "sysctl: cannot stat /proc/sys/net/bridge/bridge-nf-call-iptables: No such file or directory",
        'error: "net.bridge.bridge-nf-call-iptables" is an unknown key',
        "sysctl: permission denied on key 'net.ipv4.ip_forward'",
        "1",
        "sh: sysctl: not found",
    ],
)
def test_what_could_not_be_read_is_a_problem(line: str) -> None:
    parsed = parse_sysctls("f", f"{line}\na.b = 1\n")
    assert [(p.line, p.text) for p in parsed.problems] == [(1, line)]
    assert list(parsed.value) == ["a.b"]


def test_an_empty_file_has_no_settings() -> None:
    parsed = parse_sysctls("f", "")
    assert (parsed.value, parsed.problems) == ({}, ())

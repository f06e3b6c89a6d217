from __future__ import annotations

import pytest

from analyzer.parse.hairpin import parse_hairpin


@pytest.mark.parametrize(
    ("line", "bridge", "port", "hairpin"),
    [
        ("/sys/devices/virtual/net/cbr0/brif/veth1/hairpin_mode:1", "cbr0", "veth1", True),
        ("/sys/devices/virtual/net/cbr0/brif/veth1/hairpin_mode:0", "cbr0", "veth1", False),
        ("/sys/class/net/cbr0/brif/veth1/hairpin_mode:1", "cbr0", "veth1", True),
        ("/sys/devices/pci0000:00/0000:00:03.0/net/eth0/brport/hairpin_mode:0", "", "eth0", False),
        ("/sys/class/net/veth1/brport/hairpin_mode:1", "", "veth1", True),
        ("/sys/class/net/veth1/brport/hairpin_mode 1", "", "veth1", True),
        ("/host/sys/class/net/veth1/brport/hairpin_mode: 1\r", "", "veth1", True),
    ],
)
def test_a_port_and_where_it_tells_its_bridge(
    line: str, bridge: str, port: str, *, hairpin: bool
) -> None:
    parsed = parse_hairpin("hairpin.txt", f"\n{line}\n")
    assert parsed.problems == ()
    (found,) = parsed.value
    assert (found.bridge, found.port, found.hairpin) == (bridge, port, hairpin)
    assert found.source.line == 2


def test_a_value_below_its_path_belongs_to_the_line_of_the_path() -> None:
    text = (
        "/sys/class/net/veth1/brport/hairpin_mode\n1\n/sys/class/net/veth2/brport/hairpin_mode\n0\n"
    )
    ports = parse_hairpin("f", text).value
    assert [(p.port, p.hairpin, p.source.line) for p in ports] == [
        ("veth1", True, 1),
        ("veth2", False, 3),
    ]


def test_no_bridge_port_at_all_is_an_answer() -> None:
    text = "grep: /sys/devices/virtual/net/*/brif/*/hairpin_mode: No such file or directory\n"
    parsed = parse_hairpin("f", text)
    assert (parsed.value, parsed.problems) == ((), ())


@pytest.mark.parametrize(
    "line",
    [
        "/sys/devices/virtual/net/cbr0/brif/veth1/hairpin_mode:2",
        "/sys/devices/virtual/net/cbr0/brif/veth1/hairpin_mode:",
        "/sys/devices/virtual/net/cbr0/brif/veth1/multicast_router:1",
        "Permission denied",
    ],
)
def test_other_lines_are_problems(line: str) -> None:
    good = "/sys/class/net/veth1/brport/hairpin_mode:1"
    parsed = parse_hairpin("f", f"{good}\n{line}x\n{good}")
    assert [(p.line, p.text) for p in parsed.problems] == [(2, f"{line}x")]
    assert len(parsed.value) == 2

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analyzer.model.node import Link
from analyzer.model.source import NOWHERE, ObjectRef, SourceRef
from analyzer.parse.ip_tool import parse_addresses, parse_links, parse_route_rules, parse_routes

DATA = Path(__file__).parent.parent / "data" / "parse"
"""Printed by iproute2 6.1 for one network namespace, in each form."""


def records(parse: Any, name: str) -> tuple[Any, ...]:
    parsed = parse(name, (DATA / name).read_text())
    assert parsed.problems == ()
    return parsed.value


def placeless(found: tuple[Any, ...]) -> list[Any]:
    records = [replace(record, source=NOWHERE) for record in found]
    return [replace(r, hairpin_source=None) if isinstance(r, Link) else r for r in records]


@pytest.mark.parametrize(
    ("parse", "json", "text", "count"),
    [
        (parse_addresses, "ip-addr.json", "ip-addr.txt", 15),
        (parse_addresses, "ip-addr.json", "ip-addr-o.txt", 15),
        (parse_links, "ip-link.json", "ip-link-d.txt", 9),
        (parse_links, "ip-link.json", "ip-link-o.txt", 9),
        (parse_routes, "ip-route.json", "ip-route.txt", 46),
        (parse_routes, "ip-route6.json", "ip-route6.txt", 23),
    ],
)
def test_text_says_what_json_says(parse: Any, json: str, text: str, count: int) -> None:
    of_json, of_text = records(parse, json), records(parse, text)
    assert len(of_json) == count
    assert placeless(of_json) == placeless(of_text)
    assert all(isinstance(record.source, SourceRef) for record in of_text)


def test_links_have_what_details_show() -> None:
    links = {link.name: link for link in records(parse_links, "ip-link.json")}
    assert (links["veth1"].master, links["veth1"].hairpin, links["veth1"].kind) == (
        "cbr0",
        True,
        "veth",
    )
    assert (links["veth2"].hairpin, links["veth2"].promiscuity) == (False, 2)
    assert "PROMISC" in links["veth2"].flags
    assert (links["cbr0"].kind, links["cbr0"].hairpin, links["cbr0"].master) == ("bridge", None, "")
    assert (links["flannel.1"].kind, links["eth0"].mtu, links["lo"].kind) == ("vxlan", 1450, "")
    assert links["veth1"].source == ObjectRef("ip-link.json", 3)


def test_links_without_details_leave_open_what_is_not_shown() -> None:
    text = (
        "4: veth1@if3: <BROADCAST,UP> mtu 1500 qdisc noqueue master cbr0 state UP mode DEFAULT group default\n"
        "    link/ether 1a:5f:3d:fe:d9:18 brd ff:ff:ff:ff:ff:ff link-netnsid 0\n    altname enp1s0\n"
    )
    (link,) = parse_links("f", text).value
    assert (link.name, link.flags, link.mtu) == ("veth1", {"BROADCAST", "UP"}, 1500)
    assert (link.kind, link.hairpin, link.promiscuity, link.master) == ("", None, None, "cbr0")
    assert link.source == SourceRef("f", 1)


def test_addresses_point_at_their_line_or_list_element() -> None:
    assert records(parse_addresses, "ip-addr.json")[1].source == ObjectRef(
        "ip-addr.json", 0, ("addr_info", 1)
    )
    second = records(parse_addresses, "ip-addr.txt")[1]
    assert (second.interface, second.address, second.prefix_length) == ("lo", "10.9.9.9", 32)
    assert second.source == SourceRef("ip-addr.txt", 5)


@pytest.mark.parametrize(
    ("line", "address", "length"),
    [
        ("    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0", "10.0.0.1", 24),
        ("    inet 10.0.0.1 scope global tun0", "10.0.0.1", 32),
        ("    inet6 fd00::1 scope global", "fd00::1", 128),
        ("    inet 10.0.0.1 peer 10.0.0.2/30 scope global tun0", "10.0.0.1", 30),
    ],
)
def test_an_address_without_a_length_is_one_address(line: str, address: str, length: int) -> None:
    parsed = parse_addresses("f", f"2: tun0: <UP> mtu 1500\n{line}\n       valid_lft forever\n")
    assert parsed.problems == ()
    (found,) = parsed.value
    assert (found.interface, found.address, found.prefix_length) == ("tun0", address, length)


@pytest.mark.parametrize(
    ("line", "destination"),
    [
        ("default via 10.0.0.1 dev eth0", "0.0.0.0/0"),
        ("default via fe80::1 dev eth0", "::/0"),
        ("default via inet6 fe80::1 dev eth0", "0.0.0.0/0"),
        ("default dev eth0 scope link", "0.0.0.0/0"),
        ("default dev eth0 metric 1024 pref medium", "::/0"),
        ("default dev eth0 proto ra metric 1024", "::/0"),
        ("unreachable default dev lo metric 4294967295 error -101", "::/0"),
        ("10.1.2.3 dev eth0", "10.1.2.3/32"),
        ("fd00::1 dev eth0", "fd00::1/128"),
        ("10.1.2.3/24 dev eth0", "10.1.2.0/24"),
        ("local 127.0.0.0/8 dev lo table local", "127.0.0.0/8"),
        ("blackhole 10.244.3.0/26 proto 80", "10.244.3.0/26"),
    ],
)
def test_destinations_are_cidrs(line: str, destination: str) -> None:
    parsed = parse_routes("f", line)
    assert parsed.problems == ()
    assert parsed.value[0].destination == destination


@pytest.mark.parametrize(
    ("route", "destination"),
    [
        ('{"dst":"default","gateway":"fe80::1"}', "::/0"),
        ('{"dst":"default","via":{"family":"inet6","host":"fe80::1"}}', "0.0.0.0/0"),
        ('{"dst":"default","dev":"eth0"}', "0.0.0.0/0"),
        ('{"dst":"default","dev":"eth0","pref":"medium"}', "::/0"),
        ('{"dst":"default","nexthops":[{"gateway":"fe80::1","dev":"a"}]}', "::/0"),
    ],
)
def test_the_default_of_json_has_the_family_of_its_gateway(route: str, destination: str) -> None:
    parsed = parse_routes("f", f"[{route}]")
    assert (parsed.value[0].destination, parsed.problems) == (destination, ())


def test_a_route_has_its_parts() -> None:
    routes = {r.destination: r for r in records(parse_routes, "ip-route.txt")}
    assert (routes["0.0.0.0/0"].gateway, routes["0.0.0.0/0"].metric) == ("192.168.77.1", 100)
    assert (routes["10.97.0.0/16"].kind, routes["10.97.0.0/16"].table) == ("throw", "42")
    assert routes["10.244.8.0/24"].flags == {"onlink"}
    assert routes["10.244.2.0/24"].nexthops == (
        ("192.168.77.13", "eth0"),
        ("192.168.77.14", "eth0"),
    )
    assert routes["10.244.2.0/24"].gateway == ""
    assert (routes["10.244.7.0/24"].gateway, routes["10.244.7.0/24"].table) == ("fd77::7", "main")
    assert routes["10.9.9.9/32"].kind == "local"


def test_rules() -> None:
    found = [(r.priority, r.selector, r.table) for r in records(parse_route_rules, "ip-rule.txt")]
    assert found == [
        (0, "from all", "local"),
        (100, "from all fwmark 0x80/0x80", "100"),
        (200, "from 10.0.0.0/8", ""),
        (300, "not from all fwmark 0xca6c", "51820"),
        (32766, "from all", "main"),
        (32767, "from all", "default"),
    ]


@pytest.mark.parametrize(
    ("line", "selector", "action"),
    [
        ("100:\tfrom all fwmark 0x1 goto 200", "from all fwmark 0x1", "goto 200"),
        ("100:\tfrom all to 10.0.0.0/8 unreachable", "from all to 10.0.0.0/8", "unreachable"),
        ("100:\tfrom 10.0.0.0/8 nop", "from 10.0.0.0/8", "nop"),
        (
            "100:\tfrom all lookup main suppress_prefixlength 0",
            "from all suppress_prefixlength 0",
            "",
        ),
    ],
)
def test_a_rule_has_its_action(line: str, selector: str, action: str) -> None:
    (rule,) = parse_route_rules("f", line).value
    assert (rule.selector, rule.action) == (selector, action)


@pytest.mark.parametrize(
    "text",
    [
        (
            "10.5.0.0/16\n\tnexthop via 10.0.0.1 dev a weight 3\n\tnexthop via 10.0.0.2 dev b weight 1 dead\n"
            "\tnexthop via 10.0.0.3 dev c weight 2\n"
        ),
        (
            '[{"dst":"10.5.0.0/16","nexthops":[{"gateway":"10.0.0.1","dev":"a","weight":3,"flags":[]},'
            '{"gateway":"10.0.0.2","dev":"b","weight":1,"flags":["dead"]},'
            '{"gateway":"10.0.0.3","dev":"c","weight":2,"flags":[]}]}]'
        ),
    ],
    ids=["text", "json"],
)
def test_next_hops_have_weights_and_dead_ones_do_not_count(text: str) -> None:
    (route,) = parse_routes("f", text).value
    assert route.nexthops == (("10.0.0.1", "a"), ("10.0.0.3", "c"))
    assert route.weights == (3, 2)


@pytest.mark.parametrize("parse", [parse_addresses, parse_links, parse_routes, parse_route_rules])
@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_text_has_nothing(parse: Any, text: str) -> None:
    assert (parse("f", text).value, parse("f", text).problems) == ((), ())


@pytest.mark.parametrize("parse", [parse_addresses, parse_links, parse_routes, parse_route_rules])
def test_what_is_not_of_ip_is_a_problem(parse: Any) -> None:
    parsed = parse("f", "sh: ip: command not found\n")
    assert parsed.value == ()
    assert [(p.line, p.text) for p in parsed.problems] == [(1, "sh: ip: command not found")]


@pytest.mark.parametrize(
    ("parse", "good", "bad"),
    [
        (
            parse_addresses,
            '{"ifname":"a","addr_info":[{"local":"1.2.3.4","prefixlen":24}]}',
            '{"addr_info":3}',
        ),
        (parse_links, '{"ifname":"a"}', '{"ifname":3}'),
        (parse_routes, '{"dst":"1.2.3.0/24"}', '{"dst":["x"]}'),
        (parse_routes, '{"dst":"1.2.3.0/24"}', '{"dst":"1.2.3.4.5"}'),
        (parse_routes, '{"dst":"1.2.3.0/24"}', '{"dst":"default","gateway":"x"}'),
    ],
)
def test_a_bad_object_costs_only_itself(parse: Any, good: str, bad: str) -> None:
    parsed = parse("f", f"[{good},\n{{}},\n{bad},\n{good}]")
    assert len(parsed.value) == 2
    assert [p.line for p in parsed.problems] == [3]
    assert parsed.value[1].source.index == 3


def test_json_that_ends_early_keeps_what_came_and_says_so() -> None:
    parsed = parse_routes("f", '[{"dst":"1.2.3.0/24"},{"dst":"1.2')
    assert [route.destination for route in parsed.value] == ["1.2.3.0/24"]
    assert [p.truncation for p in parsed.problems] == [True]


def test_the_place_of_hairpin_mode_is_the_line_that_shows_it() -> None:
    for link in records(parse_links, "ip-link-d.txt"):
        if link.hairpin is not None:
            line = (DATA / "ip-link-d.txt").read_text().splitlines()[link.hairpin_source.line - 1]
            assert f"hairpin {'on' if link.hairpin else 'off'}" in line

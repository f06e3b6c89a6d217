"""Longest prefix, metrics, kinds of route, and the rules of `ip rule`."""

from __future__ import annotations

from fractions import Fraction

import pytest

from analyzer.model.node import Route, RoutePolicyRule
from analyzer.model.ruleset import Family
from analyzer.model.source import SourceRef
from analyzer.simulate.address import number
from analyzer.simulate.routing import RouteAnswer, RouteKey, RouteKind, Routes, shares

_HERE = SourceRef("ip-route.json", 1)


def _route(destination: str, device: str, **fields: object) -> Route:
    values = {"kind": "unicast", "gateway": "", "table": "main", "metric": 0, **fields}
    return Route(destination=destination, device=device, source=_HERE, **values)  # type: ignore[arg-type]


_ROUTES = (
    _route("0.0.0.0/0", "eth0", gateway="192.0.2.254"),
    _route("10.0.0.0/8", "wide"),
    _route("10.1.0.0/16", "slow", metric=100),
    _route("10.1.0.0/16", "fast", metric=10),
    _route("10.2.0.0/16", "", kind="blackhole"),
    _route("10.3.0.0/16", "", kind="throw", table="100"),
    _route("10.3.0.0/16", "special"),
    _route("0.0.0.0/0", "other", table="100"),
    _route("10.4.0.0/16", "gone", flags=frozenset({"dead"})),
    _route("10.5.0.0/16", "", nexthops=(("192.0.2.7", "eth0"), ("192.0.2.8", "eth0"))),
    _route(
        "10.6.0.0/16", "", nexthops=(("192.0.2.7", "eth0"), ("192.0.2.8", "eth0")), weights=(3, 1)
    ),
    _route("192.0.2.1/32", "eth0", kind="local", table="local"),
    _route("::/0", "six"),
)


def _rule(priority: int, selector: str, table: str = "100") -> RoutePolicyRule:
    return RoutePolicyRule(priority, selector, table, _HERE)


_USUAL = (
    _rule(0, "from all", "local"),
    _rule(32766, "from all", "main"),
    _rule(32767, "from all", "default"),
)


def _asked(rules: tuple[RoutePolicyRule, ...], destination: str, **key: object) -> RouteAnswer:
    return Routes(Family.IPV4, _ROUTES, rules).lookup(
        RouteKey(number(destination) or 0, **key)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("destination", "kind", "device"),
    [
        ("8.8.8.8", RouteKind.UNICAST, "eth0"),
        ("10.9.0.1", RouteKind.UNICAST, "wide"),
        ("10.1.0.1", RouteKind.UNICAST, "fast"),
        ("10.2.0.1", RouteKind.BLACKHOLE, None),
        ("10.4.0.1", RouteKind.UNICAST, "wide"),
        ("192.0.2.1", RouteKind.LOCAL, "eth0"),
    ],
    ids=["default", "longest prefix", "lowest metric", "blackhole", "dead route", "local"],
)
def test_the_main_table(destination: str, kind: RouteKind, device: str | None) -> None:
    answer = _asked((), destination)
    assert (answer.kind, answer.hops[0].device) == (kind, device)


def test_a_multipath_route_has_all_its_hops() -> None:
    gateways = [hop.gateway for hop in _asked((), "10.5.0.1").hops]
    assert gateways == [number("192.0.2.7"), number("192.0.2.8")]


def test_hops_get_connections_by_their_weights() -> None:
    hops = _asked((), "10.6.0.1").hops
    assert [share for _, share in shares(hops)] == [Fraction(3, 4), Fraction(1, 4)]


@pytest.mark.parametrize(
    ("selector", "key", "device"),
    [
        ("from all fwmark 0x80/0xff", {"mark": 0x180}, "other"),
        ("from all fwmark 0x80/0xff", {"mark": 0x81}, "eth0"),
        ("not from all fwmark 0x80", {"mark": 0x80}, "eth0"),
        ("not from all fwmark 0x80", {"mark": 0}, "other"),
        ("from 198.51.100.0/24", {"source": number("198.51.100.7")}, "other"),
        ("from 198.51.100.0/24", {"source": 0}, "eth0"),
        ("from all to 8.8.8.0/24", {}, "other"),
        ("from all iif eth9", {"in_interface": "eth9"}, "other"),
        ("from all iif lo", {}, "other"),
        ("from all oif eth9", {}, "eth0"),
    ],
)
def test_a_rule_selects(selector: str, key: dict[str, object], device: str) -> None:
    answer = _asked((*_USUAL, _rule(100, selector)), "8.8.8.8", **key)
    assert answer.hops[0].device == device


def test_a_suppressed_default_route_leaves_the_choice_to_the_next_rule() -> None:
    """As WireGuard's wg-quick does it."""
    usual = (
        _USUAL[0],
        _rule(90, "from all suppress_prefixlength 0", "main"),
        _rule(100, "from all"),
    )
    assert _asked((*usual, *_USUAL[1:]), "8.8.8.8").hops[0].device == "other"
    assert _asked((*usual, *_USUAL[1:]), "10.1.0.1").hops[0].device == "fast"


def test_throw_goes_on_with_the_next_table() -> None:
    assert _asked((*_USUAL, _rule(100, "from all")), "10.3.0.1").hops[0].device == "special"


@pytest.mark.parametrize(
    "selector", ["from all uidrange 0-99", "from all fwmark nonsense", "from all iif eth9"]
)
def test_what_is_not_modelled_is_unknown_only_where_it_decides(selector: str) -> None:
    rules = (*_USUAL, _rule(100, selector))
    key = {"in_interface": None} if "iif" in selector else {}
    assert _asked(rules, "8.8.8.8", **key).kind is RouteKind.UNKNOWN
    assert _asked(rules, "192.0.2.1", **key).kind is RouteKind.LOCAL
    assert (
        _asked((*_USUAL, _rule(100, selector, "empty")), "8.8.8.8", **key).kind is RouteKind.UNICAST
    )


def test_an_action_that_is_not_known_is_unknown() -> None:
    answer = _asked((*_USUAL, _acting("nat 10.0.0.1")), "8.8.8.8")
    assert (answer.kind, answer.reason) == (
        RouteKind.UNKNOWN,
        "ip rule 100: from all nat 10.0.0.1",
    )


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_a_rule_may_end_a_packet_by_itself(kind: str) -> None:
    rules = (*_USUAL, _acting(kind, "from all fwmark 0x1"))
    assert _asked(rules, "8.8.8.8", mark=1).kind is RouteKind(kind)
    assert _asked(rules, "8.8.8.8", mark=2).kind is RouteKind.UNICAST


@pytest.mark.parametrize(
    ("action", "device"),
    [
        ("nop", "other"),
        ("goto 200", "eth0"),
        ("goto 150", "other"),
        ("goto 170 [unresolved]", "other"),
    ],
)
def test_a_rule_may_leave_others_out(action: str, device: str) -> None:
    rules = (*_USUAL, _acting(action), _rule(150, "from all"), _rule(200, "from all", "main"))
    assert _asked(rules, "8.8.8.8").hops[0].device == device


def test_a_rule_for_an_interface_that_is_gone_never_applies() -> None:
    rules = (*_USUAL, _rule(100, "from all iif eth9 [detached]"))
    assert _asked(rules, "8.8.8.8", in_interface="eth9").hops[0].device == "eth0"


def _acting(action: str, selector: str = "from all") -> RoutePolicyRule:
    return RoutePolicyRule(100, selector, "", _HERE, action)


def test_families_have_tables_of_their_own() -> None:
    answer = Routes(Family.IPV6, _ROUTES, ()).lookup(RouteKey(number("2001:db8::1") or 0))
    assert answer.hops[0].device == "six"

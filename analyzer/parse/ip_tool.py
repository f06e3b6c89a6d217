"""Addresses, links, routes and rules of a node, from `ip` in JSON (`ip -j`) or in text, whichever the file holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from analyzer.language import _
from analyzer.model.node import InterfaceAddress, Link, Route, RoutePolicyRule
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.ip_json import addresses_of_json, links_of_json, routes_of_json
from analyzer.parse.ip_text import addresses_of_text, links_of_text, routes_of_text
from analyzer.parse.parsed import Parsed

T = TypeVar("T")

_RULE = re.compile(
    r"(?P<priority>\d+):\s+(?P<selector>.*?)\s*\b"
    r"(?:(?:lookup|table) (?P<table>\S+)|(?P<action>blackhole|unreachable|prohibit|goto|nop|nat|masquerade)\b)"
    r"\s*(?P<rest>.*)"
)
_SHOWN = 200


def parse_addresses(path: str, text: str) -> Parsed[tuple[InterfaceAddress, ...]]:
    """Return the addresses of `ip addr`, in file order."""
    return _either(path, text, addresses_of_json, addresses_of_text)


def parse_links(path: str, text: str) -> Parsed[tuple[Link, ...]]:
    """Return the interfaces of `ip link` (or `ip addr`); kind, hairpin and promiscuity need `ip -d`."""
    return _either(path, text, links_of_json, links_of_text)


def parse_routes(path: str, text: str) -> Parsed[tuple[Route, ...]]:
    """Return the routes of `ip route`, `ip -6 route` and `ip route show table all`.

    Destinations are written as CIDR. A `default` that tells its family neither by gateway nor by what only
    IPv6 routes print (`pref`, `proto ra`) is taken for IPv4's.
    """
    return _either(path, text, routes_of_json, routes_of_text)


def parse_route_rules(path: str, text: str) -> Parsed[tuple[RoutePolicyRule, ...]]:
    """Return the rules of `ip rule`, by ascending priority as it prints them."""
    rules: list[RoutePolicyRule] = []
    problems: list[ParseProblem] = []
    for number, line in enumerate(split_lines(text), 1):
        if match := _RULE.fullmatch(line.strip()):
            source = SourceRef(path, number)
            priority, table = int(match["priority"]), match["table"] or ""
            action, rest = match["action"] or "", match["rest"]
            if action == "goto":
                action, rest = f"goto {rest}", ""
            selector = f"{match['selector']} {rest}".strip()
            rules.append(RoutePolicyRule(priority, selector, table, source, action))
        elif line.strip():
            expected = _("a line of ip rule")
            text = line[:_SHOWN]
            problems.append(
                ParseProblem(path, number, 0, _("not a rule"), expected, text, lost_from="")
            )
    return Parsed(tuple(rules), tuple(problems))


def _either(
    path: str,
    text: str,
    of_json: Callable[[str, str], Parsed[T]],
    of_text: Callable[[str, str], Parsed[T]],
) -> Parsed[T]:
    begins_json = text.lstrip("\ufeff \t\r\n").startswith(("[", "{"))
    return of_json(path, text) if begins_json else of_text(path, text)

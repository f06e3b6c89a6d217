"""Output of `ip` in its text form, with or without `-d` and `-o`, of any version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from analyzer.language import _
from analyzer.model.node import InterfaceAddress, Link, Route
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.ip_destination import cidr_of
from analyzer.parse.parsed import Parsed

_INTERFACE = re.compile(r"\d+: (?P<name>[^\s@]+?)(?:@\S+)?: <(?P<flags>[^>]*)>(?P<rest>.*)")
_ADDRESS = re.compile(
    r"(?:\d+: (?P<name>\S+))?\s+inet6? (?P<address>[\da-fA-F:.]+)"
    r"(?: peer [\da-fA-F:.]+)?(?:/(?P<length>\d+))?(?: .*)?"
)
_JOINED_LINE = re.compile(r"\\(?=[ \t])")
"""What `ip -o` prints for a line feed."""

_NOT_A_KIND = re.compile(r"link/|inet|valid_lft|alias|altname|[RT]X|vf |\d|\w+_slave\b|xdp|promisc")
_PROMISCUITY = re.compile(r"\bpromiscuity (\d+)")
_HAIRPIN = re.compile(r"\bbridge_slave\b.*\bhairpin (on|off)\b")
_ROUTE_TYPES = frozenset(
    {
        "unicast",
        "local",
        "broadcast",
        "anycast",
        "multicast",
        "unreachable",
        "blackhole",
        "prohibit",
    }
    | {"throw", "nat", "xresolve"}
)
_ROUTE_FLAGS = frozenset(
    {"dead", "onlink", "pervasive", "offload", "trap", "notify", "linkdown", "unresolved"}
    | {"rt_offload", "rt_trap", "rt_offload_failed"}
)
_WITHOUT_VALUE = _ROUTE_FLAGS | {"lock"}
_ONLY_V6 = frozenset({"pref", "error", "hoplimit"})
"""What `ip` prints for IPv6 routes alone, `error` in old versions of iproute2."""

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Line:
    """One line, or one part of a line of `ip -o`."""

    number: int
    text: str
    indented: bool


@dataclass(slots=True)
class _Block:
    """The lines of one interface or route."""

    first: _Line
    details: list[str] = field(default_factory=list)


def addresses_of_text(path: str, text: str) -> Parsed[tuple[InterfaceAddress, ...]]:
    """Return the addresses of `ip addr` or `ip -o addr`."""
    addresses: list[InterfaceAddress] = []
    problems: list[ParseProblem] = []
    name = ""
    for line in _lines(text):
        if interface := _INTERFACE.match(line.text):
            name = interface["name"]
        elif address := _ADDRESS.fullmatch(line.text):
            host = address["address"]
            length = int(address["length"] or (128 if ":" in host else 32))
            source = SourceRef(path, line.number)
            addresses.append(InterfaceAddress(address["name"] or name, host, length, source))
        elif not line.indented:
            problems.append(_problem(path, line, _("not a line of ip addr")))
    return Parsed(tuple(addresses), tuple(problems))


def links_of_text(path: str, text: str) -> Parsed[tuple[Link, ...]]:
    """Return the interfaces of `ip link`, `ip -d link` or `ip addr`."""
    links: list[Link] = []
    problems: list[ParseProblem] = []
    for block in _blocks(text):
        if interface := _INTERFACE.match(block.first.text):
            links.append(_link(interface, block.details, SourceRef(path, block.first.number)))
        else:
            problems.append(_problem(path, block.first, _("not a line of ip link")))
    return Parsed(tuple(links), tuple(problems))


def routes_of_text(path: str, text: str) -> Parsed[tuple[Route, ...]]:
    """Return the routes of `ip route`; the hops of a multipath route stand indented below it."""
    routes: list[Route] = []
    problems: list[ParseProblem] = []
    for block in _blocks(text):
        hops = [hop.split() for line in block.details for hop in line.split("nexthop ")[1:]]
        alive = [words for words in hops if "dead" not in words] or hops
        try:
            source = SourceRef(path, block.first.number)
            routes.append(_route(block.first.text.split(), [_words(h) for h in alive], source))
        except ValueError:
            problems.append(_problem(path, block.first, _("not a line of ip route")))
    return Parsed(tuple(routes), tuple(problems))


def _lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(split_lines(text), 1):
        for part in _JOINED_LINE.split(line):
            if part.strip():
                yield _Line(number, part, part[0] in " \t")


def _blocks(text: str) -> Iterator[_Block]:
    """Yield each line that is not indented, with the indented lines below it."""
    block: _Block | None = None
    for line in _lines(text):
        if block is not None and line.indented:
            block.details.append(line.text.strip())
            continue
        if block is not None:
            yield block
        block = _Block(line)
    if block is not None:
        yield block


def _link(interface: re.Match[str], details: Sequence[str], source: SourceRef) -> Link:
    words = _words(interface["rest"].split())
    whole = " ".join(details)
    promiscuity = _PROMISCUITY.search(whole)
    hairpin = _HAIRPIN.search(whole)
    own = details[1] if len(details) > 1 and details[0].startswith("link/") else ""
    return Link(
        interface["name"],
        frozenset(flag for flag in interface["flags"].split(",") if flag),
        int(words["mtu"]) if words.get("mtu", "").isdigit() else None,
        "" if not own or _NOT_A_KIND.match(own) else own.split()[0],
        words.get("master", ""),
        hairpin[1] == "on" if hairpin else None,
        int(promiscuity[1]) if promiscuity else None,
        source,
        _below(source, details, "hairpin") if hairpin else None,
    )


def _below(source: SourceRef, details: Sequence[str], word: str) -> SourceRef:
    """Return the line below the first one of a block that holds the word."""
    found = (n for n, line in enumerate(details, 1) if word in line.split())
    return SourceRef(source.path, source.line + next(found, 0))


def _route(words: Sequence[str], hops: Sequence[dict[str, str]], source: SourceRef) -> Route:
    """Return a route; raise ValueError where its destination or gateway is no address."""
    kind = words[0] if words[0] in _ROUTE_TYPES else ""
    named = words[1:] if kind else words
    values = _words(named[1:])
    nexthops = tuple((hop.get("via", ""), hop.get("dev", "")) for hop in hops)
    gateway = values.get("via", "")
    destination = cidr_of(
        named[0] if named else "",
        gateway=gateway or next((first for first, _ in nexthops if first), ""),
        other_family=any("other family" in v for v in (values, *hops)),
        is_v6=not _ONLY_V6.isdisjoint(values) or values.get("proto") == "ra",
    )
    return Route(
        kind or "unicast",
        destination,
        gateway,
        values.get("dev", ""),
        values.get("table", "main"),
        int(values.get("metric", "0")),
        source,
        frozenset(_ROUTE_FLAGS.intersection(named)),
        nexthops,
        preferred_source=values.get("src", ""),
        weights=tuple(int(hop.get("weight", "1")) for hop in hops),
    )


def _words(words: Sequence[str]) -> dict[str, str]:
    """Return the `name value` pairs among the words of a line.

    `via inet6 fe80::1` names the gateway's family where it is not the destination's: key `other family`.
    """
    values: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word in _WITHOUT_VALUE:
            continue
        value = next(rest, "")
        if word == "via" and value in {"inet", "inet6"}:
            values["other family"] = value
            value = next(rest, "")
        values[word] = value
    return values


def _problem(path: str, line: _Line, message: str) -> ParseProblem:
    return ParseProblem(path, line.number, 0, message, _("output of ip"), line.text[:_SHOWN])

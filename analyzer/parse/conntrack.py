"""conntrack.txt: the connections that `conntrack -L` or /proc/net/nf_conntrack list."""

from __future__ import annotations

import re

from analyzer.language import _
from analyzer.model.conntrack import ConntrackEntry, ConntrackFlow
from analyzer.model.source import ParseProblem, SourceRef
from analyzer.parse.parsed import Parsed

_HEAD = re.compile(
    r"(?:ipv[46]\s+\d+\s+)?(?P<protocol>[a-z][a-z0-9-]*)\s+\d+\s+(?P<timeout>\d+)\s+(?P<rest>.*)"
)
_PAIR = re.compile(r"(src|dst|sport|dport)=(\S+)")
_FLAG = re.compile(r"\[([A-Z_]+)\]")
_STATE = re.compile(r"([A-Z][A-Z_0-9]*)\s")
_FOOTER = re.compile(r"conntrack v\S+ \(conntrack-tools\): ")
_LARGEST_PORT = 65535
_SHOWN = 200


def parse_conntrack(path: str, text: str) -> Parsed[tuple[ConntrackEntry, ...]]:
    """Return the entries in file order."""
    entries: list[ConntrackEntry] = []
    problems: list[ParseProblem] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or _FOOTER.match(line):
            continue
        entry = _entry(line.strip(), SourceRef(path, number))
        if entry is None:
            expected = _("a connection as conntrack -L prints it")
            problems.append(
                ParseProblem(path, number, 0, _("not a connection"), expected, line[:_SHOWN])
            )
        else:
            entries.append(entry)
    return Parsed(tuple(entries), tuple(problems))


def _entry(line: str, source: SourceRef) -> ConntrackEntry | None:
    head = _HEAD.fullmatch(line)
    if head is None:
        return None
    rest = head["rest"]
    pairs = _PAIR.findall(rest)
    second = next((i for i, (key, _) in enumerate(pairs) if i and key == "src"), None)
    if second is None:
        return None
    original, reply = _flow(dict(pairs[:second])), _flow(dict(pairs[second:]))
    if original is None or reply is None:
        return None
    state = _STATE.match(rest)
    return ConntrackEntry(
        head["protocol"],
        state[1] if state else "",
        int(head["timeout"]),
        original,
        reply,
        frozenset(_FLAG.findall(rest)),
        source,
    )


def _flow(values: dict[str, str]) -> ConntrackFlow | None:
    ports = [values.get(key, "0") for key in ("sport", "dport")]
    if not {"src", "dst"} <= values.keys() or not all(map(_is_port, ports)):
        return None
    return ConntrackFlow(values["src"], int(ports[0]), values["dst"], int(ports[1]))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text[:6]) <= _LARGEST_PORT and len(text) < 6  # noqa: PLR2004

"""sockets.txt: the sockets that `ss -lntu` (or `netstat -lntu`) lists."""

from __future__ import annotations

import re
from collections.abc import Sequence

from analyzer.language import _
from analyzer.model.node import Socket
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.parsed import Parsed

_PROTOCOLS = {
    "tcp": "TCP",
    "tcp6": "TCP",
    "udp": "UDP",
    "udp6": "UDP",
    "LISTEN": "TCP",
    "UNCONN": "UDP",
}
"""By the first column; `ss -lnt` has no protocol there but a state that only one protocol has."""

_OTHER_KINDS = frozenset(
    {"nl", "p_raw", "p_dgr", "raw", "raw6", "icmp6", "unix", "u_str", "u_dgr", "u_seq"}
)
_OTHER_KINDS |= {
    "sctp",
    "dccp",
    "mptcp",
    "tipc",
    "vsock",
    "v_str",
    "v_dgr",
    "udplite",
    "udplite6",
    "xdp",
}
_HEADER = re.compile(r"Netid\b|Proto\b|State\b|Active Internet|Cannot open netlink")
_ENDPOINT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<plain>.*?))(?:%[^:]+)?:(?P<port>\d+)")
_MAX_PORT = 65535
_SHOWN = 200


def parse_sockets(path: str, text: str) -> Parsed[tuple[Socket, ...]]:
    """Return the listening sockets of TCP and UDP.

    Any address stays as it is printed (`*`, `0.0.0.0`, `::`), since they serve different families; the
    zone of `127.0.0.53%lo` is left out. Other kinds of sockets and connections are passed over.
    """
    sockets: list[Socket] = []
    problems: list[ParseProblem] = []
    for number, line in enumerate(split_lines(text), 1):
        words = line.split()
        if not words or _HEADER.match(line) or words[0].lower() in _OTHER_KINDS:
            continue
        protocol = _PROTOCOLS.get(words[0], "")
        if protocol == "TCP" and "LISTEN" not in words:
            continue
        socket = _socket(protocol, words[1:], SourceRef(path, number)) if protocol else None
        if socket is not None:
            sockets.append(socket)
        else:
            expected = _("a line of ss -lntu")
            message = _("not a listening socket")
            problems.append(ParseProblem(path, number, 0, message, expected, line[:_SHOWN]))
    return Parsed(tuple(sockets), tuple(problems))


def _socket(protocol: str, words: Sequence[str], source: SourceRef) -> Socket | None:
    """Return the socket whose local end is the first word that ends in a port."""
    for word in words:
        if (end := _ENDPOINT.fullmatch(word)) and int(end["port"]) <= _MAX_PORT:
            address = end["plain"] if end["v6"] is None else end["v6"]
            return Socket(protocol, address or "*", int(end["port"]), source)
    return None

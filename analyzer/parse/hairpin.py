"""hairpin.txt: which bridge ports send a frame back out of the port it came in by."""

from __future__ import annotations

import re

from analyzer.language import _
from analyzer.model.node import BridgePort
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.parsed import Parsed

_LINE = re.compile(
    r"(?:/host)?/sys/(?:"
    r"(?:devices/\S+?|class)/net/(?P<bridge>[^/\s]+)/brif/(?P<port>[^/\s]+)"
    r"|(?:devices/\S+?|class)/net/(?P<lone_port>[^/\s]+)/brport"
    r")/hairpin_mode\s*(?:[:=]|\s)\s*(?P<mode>[01])\s*"
)
_NO_PORTS = re.compile(r"\S+: .*hairpin_mode'?: No such file or directory\s*")
"""What `grep` and `cat` say where no bridge has a port: an answer, and no ports."""

_PATH = re.compile(r"(/\S+/hairpin_mode)\s*[:=]?\s*")
_SHOWN = 200


def parse_hairpin(path: str, text: str) -> Parsed[tuple[BridgePort, ...]]:
    """Return the bridge ports of `…/net/<bridge>/brif/<port>/hairpin_mode:<0 or 1>` lines (`grep -H`).

    `…/net/<port>/brport/hairpin_mode:1` does not tell the bridge, which is empty then. The value may stand on a
    line of its own below the path, as `echo` and `cat` print it.
    """
    ports: list[BridgePort] = []
    problems: list[ParseProblem] = []
    path_above = ""
    for number, line in enumerate(split_lines(text), 1):
        match = _LINE.fullmatch(f"{path_above}:{line}" if path_above else line)
        source = SourceRef(path, number - 1 if path_above else number)
        path_above = ""
        if match:
            port = match["port"] or match["lone_port"]
            ports.append(BridgePort(match["bridge"] or "", port, match["mode"] == "1", source))
        elif lone := _PATH.fullmatch(line):
            path_above = lone[1]
        elif line.strip() and not _NO_PORTS.fullmatch(line):
            problems.append(_problem(path, number, line))
    return Parsed(tuple(ports), tuple(problems))


def _problem(path: str, line: int, text: str) -> ParseProblem:
    expected = _("/sys/devices/virtual/net/<bridge>/brif/<port>/hairpin_mode:<0 or 1>")
    return ParseProblem(
        path, line, 0, _("not the hairpin mode of a bridge port"), expected, text[:_SHOWN]
    )

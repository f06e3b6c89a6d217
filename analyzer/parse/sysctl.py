"""sysctl.txt: kernel settings by name."""

from __future__ import annotations

from functools import cache
from re import Pattern

from analyzer.language import _
from analyzer.model.node import Sysctl
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.fast_path import pattern_of
from analyzer.parse.grammar import load_grammar
from analyzer.parse.parsed import Parsed

_PROC = "/proc/sys/"
_SWAPPED = str.maketrans("./", "/.")
_SHOWN = 200


def parse_sysctls(path: str, text: str) -> Parsed[dict[str, Sysctl]]:
    """Return the settings by dotted name, in file order; of a name that comes twice, the last.

    A setting that `sysctl` could not read is a problem: its text tells whether the kernel lacks it.
    """
    sysctls: dict[str, Sysctl] = {}
    problems: list[ParseProblem] = []
    match_line = _line().fullmatch
    for number, line in enumerate(split_lines(text), 1):
        match = match_line(line)
        if match is None:
            problems.append(_problem(path, number, line, _("not a kernel setting")))
        elif match["ERROR"]:
            problems.append(_problem(path, number, line, _("a setting could not be read")))
        elif match["NAME"] or match["PATH"]:
            name = match["NAME"] or match["PATH"].removeprefix(_PROC)
            name = _dotted(name)
            value = (match["VALUE"] or match["PATH_VALUE"] or "").rstrip()
            sysctls[name] = Sysctl(name, value, SourceRef(path, number))
    return Parsed(sysctls, tuple(problems))


@cache
def _line() -> Pattern[str]:
    return pattern_of(load_grammar("sysctl"), "line")


def _dotted(name: str) -> str:
    """Return the name as `sysctl -a` prints it; one whose first separator is a slash is a path (sysctl(8))."""
    first = next((letter for letter in name if letter in "./"), "")
    return name.translate(_SWAPPED) if first == "/" else name


def _problem(path: str, line: int, text: str, message: str) -> ParseProblem:
    return ParseProblem(path, line, 0, message, _("name = value"), text[:_SHOWN])

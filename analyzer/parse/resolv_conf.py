"""resolv.conf, read as glibc's resolver reads it (resolv.conf(5)); what it would skip is a problem."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from analyzer.language import _
from analyzer.model.node import ResolvConf
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.grammar import load_grammar
from analyzer.parse.parsed import Parsed

_KEYWORD = re.compile(r"\s*(nameserver|search|domain|options)\b", re.IGNORECASE)
_SHOWN = 200


def parse_resolv_conf(path: str, text: str) -> Parsed[ResolvConf]:
    """Return the settings of a resolv.conf.

    The last `search` or `domain` line wins; `options` lines add up, and of one option the last value wins. The
    line that sets ndots is the one that is kept as the options' source.
    Lines may end in CR LF, which is reported: glibc takes the CR for a part of the value.
    """
    reader = _Reader(path)
    for number, line in enumerate(split_lines(text), 1):
        reader.read(number, line)
    if "\r" in text:
        reader.report_carriage_return(text)
    return Parsed(
        ResolvConf(
            tuple(reader.nameservers),
            reader.search,
            reader.search_source,
            reader.options,
            reader.options_source,
            path,
        ),
        tuple(reader.problems),
    )


@dataclass(slots=True)
class _Reader:
    """The settings so far."""

    path: str
    nameservers: list[tuple[str, SourceRef]] = field(default_factory=list)
    search: tuple[str, ...] = ()
    search_source: SourceRef | None = None
    options: dict[str, str] = field(default_factory=dict)
    options_source: SourceRef | None = None
    problems: list[ParseProblem] = field(default_factory=list)

    def read(self, number: int, line: str) -> None:
        """Read one line."""
        try:
            tree = load_grammar("resolv_conf").parse(line)
        except UnexpectedInput as error:
            self._report_unrecognised(number, line, getattr(error, "column", 0))
            return
        for setting in tree.children:
            if isinstance(setting, Tree):
                self._apply(str(setting.data), _words(setting), SourceRef(self.path, number), line)

    def report_carriage_return(self, text: str) -> None:
        """Report the first line that ends with a carriage return."""
        before = text.partition("\r")[0]
        self._problem(
            before.count("\n") + 1,
            0,
            _("the line ends with a carriage return, which glibc takes for a part of the value"),
            _("a line feed alone"),
            before.rpartition("\n")[2],
        )

    def _apply(self, keyword: str, words: tuple[str, ...], source: SourceRef, line: str) -> None:
        match keyword:
            case "nameserver":
                self._add_nameserver(words[0], source, line)
            case "search":
                self.search, self.search_source = words, source
            case "domain":
                self.search, self.search_source = words[:1], source
            case "options":
                options = dict(_option(word) for word in words)
                if "ndots" in options or "ndots" not in self.options:
                    self.options_source = source
                self.options.update(options)

    def _add_nameserver(self, address: str, source: SourceRef, line: str) -> None:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            self._problem(
                source.line,
                line.find(address) + 1,
                _(
                    "{address!r} is no IP address; resolvers skip this line",
                    address=address[:_SHOWN],
                ),
                _("an IPv4 or IPv6 address"),
                line,
            )
        else:
            self.nameservers.append((address, source))

    def _report_unrecognised(self, number: int, line: str, column: int) -> None:
        keyword = _KEYWORD.match(line)
        if keyword and not line.startswith(keyword[1].lower()):
            message = _(
                "{keyword!r} is not a keyword here; glibc skips this line", keyword=keyword[1]
            )
            expected = _(
                "{keyword!r} in the first column, in lower case", keyword=keyword[1].lower()
            )
        elif keyword:
            message, expected = _("{keyword!r} without a value", keyword=keyword[1]), _("a value")
        else:
            message = _("not a line of resolv.conf; resolvers skip it")
            expected = _("nameserver, search, domain or options")
        self._problem(number, max(column, 0), message, expected, line)

    def _problem(self, line: int, column: int, message: str, expected: str, text: str) -> None:
        self.problems.append(
            ParseProblem(self.path, line, column, message, expected, text[:_SHOWN])
        )


def _words(setting: Tree[Token]) -> tuple[str, ...]:
    return tuple(
        str(token) for token in setting.scan_values(lambda _: True) if token.type == "WORD"
    )


def _option(word: str) -> tuple[str, str]:
    name, _, value = word.partition(":")
    return name, value

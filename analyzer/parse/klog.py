r"""Logs of kube-proxy, kubelet and CoreDNS, in every form and wrapping, as entries.

What begins an entry: a klog head, a `[LEVEL]` head (CoreDNS), a JSON object or a logfmt line. Other lines belong
to the entry before them where klog printed them with it: those of a `key=<` … ` >` value, and whatever follows an
unstructured klog message (`…\nRules:\n*filter`, `goroutine 1 [running]:`), as long as the same process wrote
them. All others are entries of level UNKNOWN, each with the indented lines after it; a crash of Go's runtime
(`panic: …`) is one entry up to the next head.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import Enum, auto

import msgspec

from analyzer.language import _
from analyzer.model.log import Level, LogEntry
from analyzer.model.source import ParseProblem, SourceRef, split_lines
from analyzer.parse.fast_path import pattern_of, terminal_pattern
from analyzer.parse.grammar import load_grammar
from analyzer.parse.klog_body import Body, BodyReader
from analyzer.parse.kubectl_error import is_kubectl_error
from analyzer.parse.log_carrier import Content, Unwrapper
from analyzer.parse.log_clock import LogClock
from analyzer.parse.log_record import Record, read_level, read_logfmt, read_object
from analyzer.parse.parsed import Parsed

_LEVELS = {"I": Level.INFO, "W": Level.WARNING, "E": Level.ERROR, "F": Level.FATAL}
_STANDS_ALONE = re.compile(r"Flag --|panic: |fatal error: ")
_CRASH = re.compile(r"panic: |fatal error: |goroutine \d+ \[")
_SHOWN = 200
"""Characters of a line that a problem shows."""


def parse_log(path: str, text: str, collected_at: datetime | None) -> Parsed[tuple[LogEntry, ...]]:
    """Return the entries of a log in file order.

    `collected_at` lends klog's clock its year; without it such entries have no time.
    """
    reader = _LogReader(path, collected_at)
    reader.read(text)
    return Parsed(tuple(reader.entries), tuple(reader.problems))


class _Takes(Enum):
    """Which lines without a head belong to the entry before them."""

    NOTHING = auto()
    INDENTED = auto()
    TEXT = auto()
    """All but those that open something of their own."""

    BLOCK = auto()
    """All, up to one that begins with ` >`."""

    ALL = auto()


class _LogReader:
    """The entries so far, of which the last may still grow."""

    def __init__(self, path: str, collected_at: datetime | None) -> None:
        self.entries: list[LogEntry] = []
        self.problems: list[ParseProblem] = []
        self._path = path
        self._clock = LogClock(collected_at)
        self._unwrapper = Unwrapper(self._clock)
        self._bodies = BodyReader()
        self._origins: dict[str, str] = {}
        self._takes = _Takes.NOTHING
        self._writer = ""
        self._body = ""
        self._more: list[Content] = []
        grammar = load_grammar("klog")
        self._klog_head = terminal_pattern(grammar, "KLOG_HEAD").match
        self._content = pattern_of(grammar, "content").match

    def read(self, text: str) -> None:
        """Read the whole file."""
        klog_head = self._klog_head
        for number, line in enumerate(split_lines(text), 1):
            head = klog_head(line)
            if head is not None:
                self._klog(number, head[0], line[head.end() :], "", None)
            else:
                for content in self._unwrapper.unwrap(number, line):
                    self._read(content)
        for content in self._unwrapper.rest():
            self._problem(
                content.line,
                _("a line that came in pieces does not end"),
                _("its last piece"),
                content.text,
                truncation=True,
            )
            self._read(content)
        self._close(at_end=True)

    def _read(self, content: Content) -> None:
        """Read a line whose wrapping is off."""
        text = content.text
        if head := self._klog_head(text):
            self._klog(content.line, head[0], text[head.end() :], content.writer, content.time)
        elif content.record is not None:
            self._record(content, read_object(content.record, self._clock, text))
        elif (match := self._content(text)) is None or match["IGNORED"]:
            return
        elif match["LOGFMT"]:
            self._record(content, read_logfmt(text, self._clock))
        elif level := match["LEVEL_HEAD"]:
            said = Record(read_level(level), match["TEXT"] or "", {}, "", None)
            self._record(content, said)
        else:
            self._text(content)

    # --- entries ------------------------------------------------------------------------------------

    def _klog(self, line: int, head: str, body: str, writer: str, carried: datetime | None) -> None:
        if self._takes is _Takes.BLOCK or self._more:
            self._close()
        message, values, takes = body, {}, _Takes.TEXT
        if body[:1] == '"':
            known = self._bodies.read(body)
            message, values = known.message, known.values
            if known.structured:
                takes = _Takes.BLOCK if body.endswith("=<") else _Takes.NOTHING
        clock = head[1:21]
        self.entries.append(
            LogEntry(
                SourceRef(self._path, line),
                _LEVELS[head[0]],
                message,
                values,
                self._origin(head[21:]),
                self._clock.klog(clock, carried),
                clock,
            )
        )
        self._takes = takes
        self._writer = writer
        self._body = body

    def _origin(self, tail: str) -> str:
        """Return `file.go:123` of a head's `   22231 file.go:123] `."""
        origin = self._origins.get(tail)
        if origin is None:
            origin = self._origins[tail] = tail.split()[1].removesuffix("]")
        return origin

    def _record(self, content: Content, record: Record) -> None:
        self._close()
        self.entries.append(
            LogEntry(
                SourceRef(self._path, content.line),
                record.level,
                record.message,
                record.values,
                record.origin,
                content.time or record.time,
            )
        )
        self._takes = _Takes.INDENTED if not record.values else _Takes.NOTHING
        self._writer = content.writer
        self._body = record.message

    # --- lines without a head -----------------------------------------------------------------------

    def _text(self, content: Content) -> None:
        if self._belongs(content):
            self._more.append(content)
            if self._takes is _Takes.BLOCK and content.text.startswith(" >"):
                self._takes = _Takes.BLOCK if content.text.endswith("=<") else _Takes.NOTHING
        elif is_kubectl_error(content.text):
            self._problem(content.line, _("an error of kubectl"), _("the log"), content.text)
        elif content.text.strip():
            self._record(content, Record(Level.UNKNOWN, content.text, {}, "", None))
            if _CRASH.match(content.text):
                self._takes = _Takes.ALL

    def _belongs(self, content: Content) -> bool:
        if content.writer != self._writer:
            return False
        match self._takes:
            case _Takes.NOTHING:
                return False
            case _Takes.INDENTED:
                return content.text[:1] in {" ", "\t"}
            case _Takes.TEXT:
                return not _STANDS_ALONE.match(content.text)
        return True

    def _close(self, *, at_end: bool = False) -> None:
        """Give the last entry the lines that followed it."""
        while self._more and not self._more[-1].text.strip():
            self._more.pop()
        if self._more:
            entry = self.entries[-1]
            body = "\n".join((self._body, *(line.text for line in self._more)))
            known = self._bodies.read(body) if entry.clock else Body(body, {})
            self.entries[-1] = msgspec.structs.replace(
                entry,
                message=known.message,
                values=known.values,
                lines=self._more[-1].line - entry.source.line + 1,
            )
            self._more.clear()
        if self._takes is _Takes.BLOCK:
            self._problem(
                self.entries[-1].source.line,
                _("a value of several lines does not end"),
                _("a line that begins with ` >`"),
                self._body,
                truncation=at_end,
            )
        self._takes = _Takes.NOTHING

    def _problem(
        self, line: int, message: str, expected: str, text: str, *, truncation: bool = False
    ) -> None:
        self.problems.append(
            ParseProblem(self._path, line, 0, message, expected, text[:_SHOWN], truncation)
        )

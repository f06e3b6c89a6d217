"""What carries a log line: kubectl, a container runtime, docker, journald, syslog; taken off line by line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from analyzer.parse.fast_path import pattern_of
from analyzer.parse.grammar import load_grammar
from analyzer.parse.log_clock import LogClock

_NESTED = 3
"""Wrappings within wrappings that are taken off, such as docker's JSON around a stamped line."""

_JOURNAL_FIELDS = frozenset({"_PID", "__CURSOR", "__REALTIME_TIMESTAMP", "SYSLOG_IDENTIFIER"})
_PROGRAM = re.compile(r" ([\w.@/-]+(?:\[\d+\])?): ?\Z")


class Content(Struct, frozen=True, gc=False):
    """What a process wrote on one line, its pieces joined."""

    line: int
    """Where it begins, from 1."""

    text: str
    writer: str = ""
    """Pod and container, or program and process id, as far as the carrier tells."""

    time: datetime | None = None
    """The carrier's time."""

    record: dict[str, Any] | None = None
    """The object, where the text is one in JSON."""


class Unwrapper:
    """Takes the carriers off the lines of one log and joins the pieces of cut lines."""

    def __init__(self, clock: LogClock) -> None:
        self._clock = clock
        self._wrapping = pattern_of(load_grammar("klog"), "wrapping").match
        self._pieces: dict[str, Content] = {}

    def unwrap(self, number: int, line: str) -> Sequence[Content]:
        """Return what a line carries: nothing for a piece, several for a journal record of several lines."""
        return self._unwrap(Content(number, line), _NESTED)

    def rest(self) -> Sequence[Content]:
        """Return the lines whose last piece never came."""
        return tuple(self._pieces.values())

    def _unwrap(self, outer: Content, levels: int) -> Sequence[Content]:
        wrapping = self._wrapping(outer.text)
        if wrapping is None or levels == 0:
            return (outer,)
        content = self._stripped(outer, wrapping) if wrapping.end() else outer
        if wrapping["CRI"]:
            stream, tag = wrapping["CRI"].split(" ")[1:3]
            if tag.startswith("P") or self._pieces:
                content = replace(content, text=outer.text[wrapping.end("CRI") :])
                return self._joined(content, stream, whole=tag.startswith("F"), levels=levels)
        if content.text.startswith("{"):
            return self._json(content, levels)
        return (content,)

    def _stripped(self, outer: Content, wrapping: re.Match[str]) -> Content:
        """Return the content with the time and writer that its wrapping tells."""
        _, prefix, opaque_prefix, cri, journal_iso, journal_short, stamp = wrapping.group(
            0, "PREFIX", "PREFIX_OPAQUE", "CRI", "JOURNAL_ISO", "JOURNAL_SHORT", "STAMP"
        )
        time = outer.time or self._clock.carried(cri or journal_iso or journal_short or stamp or "")
        writer = outer.writer
        if prefix or opaque_prefix or journal_iso or journal_short:
            program = _PROGRAM.search(journal_iso or journal_short or "")
            names = (
                writer,
                (prefix or opaque_prefix or "").replace("MESSAGE=", "").strip(),
                program[1] if program else "",
            )
            writer = " ".join(filter(None, names))
        return Content(outer.line, outer.text[wrapping.end() :], writer, time)

    def _joined(
        self, content: Content, stream: str, *, whole: bool, levels: int
    ) -> Sequence[Content]:
        """Keep a piece, or return what carries on inside a line that is whole."""
        key = f"{content.writer} {stream}"
        before = self._pieces.pop(key, None)
        if before is not None:
            content = replace(before, text=before.text + content.text)
        if whole:
            return self._unwrap(content, levels - 1)
        self._pieces[key] = content
        return ()

    def _json(self, content: Content, levels: int) -> Sequence[Content]:
        try:
            record = msgspec.json.decode(content.text)
        except (msgspec.DecodeError, RecursionError):
            return (content,)
        if isinstance(record.get("log"), str) and ("stream" in record or "time" in record):
            return self._docker(content, record, levels)
        if "MESSAGE" in record and not _JOURNAL_FIELDS.isdisjoint(record):
            return self._journal(content, record, levels)
        return (replace(content, record=record),)

    def _docker(self, outer: Content, record: dict[str, Any], levels: int) -> Sequence[Content]:
        content = replace(
            outer,
            text=record["log"].removesuffix("\n"),
            time=outer.time or self._clock.carried(str(record.get("time", ""))),
        )
        return self._joined(
            content,
            str(record.get("stream", "")),
            whole=record["log"].endswith("\n"),
            levels=levels,
        )

    def _journal(self, outer: Content, record: dict[str, Any], levels: int) -> Sequence[Content]:
        program = record.get("SYSLOG_IDENTIFIER") or record.get("_COMM") or ""
        process = record.get("_PID") or record.get("SYSLOG_PID") or ""
        content = replace(outer, writer=f"{program}[{process}]", time=_journal_time(record))
        lines = _journal_message(record["MESSAGE"]).split("\n")
        return [
            inner
            for line in lines
            for inner in self._unwrap(replace(content, text=line), levels - 1)
        ]


def _journal_message(message: object) -> str:
    """Return MESSAGE: a string, or the bytes as numbers where it is not printable (journalctl(1))."""
    if isinstance(message, list):
        try:
            return bytes(message).decode(errors="replace")
        except (TypeError, ValueError):
            return ""
    return message if isinstance(message, str) else ""


def _journal_time(record: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(record["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None

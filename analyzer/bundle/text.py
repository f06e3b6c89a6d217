"""Bytes of a bundle file as text."""

from __future__ import annotations

import codecs

from analyzer.language import _
from analyzer.model.source import ParseProblem

_LINE_SHOWN = 200
_EXPECTED = "UTF-8 text"


def decoded(path: str, content: bytes) -> tuple[str, tuple[ParseProblem, ...]]:
    r"""Return a file's text without byte order mark; bytes that are not UTF-8 become `\xff` and one problem."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _from_utf_16(path, content)
    try:
        text = content.decode()
        problems: tuple[ParseProblem, ...] = ()
    except UnicodeDecodeError as error:
        text = content.decode(errors="backslashreplace")
        problems = (_problem(path, content, error.start),)
    return text.removeprefix("\ufeff"), problems


def _from_utf_16(path: str, content: bytes) -> tuple[str, tuple[ParseProblem, ...]]:
    """Decode what `>` of Windows PowerShell writes."""
    text = content.decode("utf-16", errors="backslashreplace")
    message = _("the file is UTF-16, and was read as that")
    return text, (ParseProblem(path, 1, 0, message, _EXPECTED, _line(text)),)


def _problem(path: str, content: bytes, start: int) -> ParseProblem:
    before = content[:start]
    line_start = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
    line = before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1
    column = len(before[line_start:].decode().removeprefix("\ufeff")) + 1
    return ParseProblem(
        path,
        line,
        column,
        _("byte 0x{content:02x} is not UTF-8", content=content[start]),
        _EXPECTED,
        _line(content[line_start : line_start + 4 * _LINE_SHOWN].decode(errors="backslashreplace")),
    )


def _line(text: str) -> str:
    """Return the first line, cut."""
    return text[:_LINE_SHOWN].removeprefix("\ufeff").partition("\n")[0].partition("\r")[0]

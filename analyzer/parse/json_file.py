"""A bundle file that should hold JSON: where the JSON begins in it, and how its errors are reported."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import msgspec

from analyzer.language import _
from analyzer.model.source import ParseProblem
from analyzer.parse.kubectl_error import is_kubectl_error

DEPTH_LIMIT = 200
"""Levels of brackets that are read (bundle format svcbundle/v1)."""

_BEGIN = re.compile(rb"^[ \t]*[\[{]", re.MULTILINE)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
"""msgspec counts from 1 here, from 0 elsewhere."""

_BYTE = re.compile(r" \(byte (\d+)\)")
_LONE_CARRIAGE_RETURN = re.compile(rb"\r(?!\n)")
"""A line end, too: lines are counted as `split_lines` does."""

_TYPES = re.compile(r"Expected `(.+)`, got `(.+)`")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class JsonFile:
    """The bytes of a file, in UTF-8, with the place of the JSON in them."""

    path: str
    data: bytes
    start: int | None
    """Byte offset of the first bracket; None where there is none."""

    problems: tuple[ParseProblem, ...]
    """What stands there besides or instead of JSON."""

    def body(self) -> bytes:
        """Return the bytes from the first bracket on; they are copied only where something stands before."""
        return self.data[self.start :] if self.start else self.data

    def line(self, position: int) -> int:
        """Return the line, from 1, of a byte offset."""
        return self.data.count(b"\n", 0, position) + 1

    def problem(
        self, position: int, message: str, expected: str, where: str, *, truncation: bool = False
    ) -> ParseProblem:
        """Return a problem at a byte offset; `where` is a path inside the document."""
        line_start = self.data.rfind(b"\n", 0, position) + 1
        return ParseProblem(
            self.path,
            self.line(position),
            len(self.data[line_start:position].decode(errors="replace")) + 1,
            message,
            expected,
            where,
            truncation,
        )

    def malformed(self, error: Exception, base: int, where: str) -> ParseProblem:
        """Return the problem that msgspec has with the JSON that begins at a byte offset."""
        if isinstance(error, RecursionError):
            message = _("nested deeper than {depth_limit} levels", depth_limit=DEPTH_LIMIT)
            return self.problem(
                base, message, _("at most {depth_limit}", depth_limit=DEPTH_LIMIT), where
            )
        if isinstance(error, UnicodeDecodeError):
            return self.problem(base, _("bytes that are no UTF-8"), "UTF-8", where)
        position = self.position_of(error, base)
        if position == len(self.data):
            return self.problem(
                position, _("the JSON ends early"), _("the rest"), where, truncation=True
            )
        message = _BYTE.sub("", str(error))
        return self.problem(position, message, "", where)

    def end_of_json(self, error: Exception) -> int | None:
        """Return the byte offset behind the JSON where msgspec's error is what follows it; else None."""
        trailing = _TRAILING.search(str(error))
        return (self.start or 0) + int(trailing[1]) - 1 if trailing else None

    def trailing(self, position: int) -> ParseProblem:
        """Return the problem of text behind the JSON."""
        return self.problem(position, _("text behind the JSON"), _("the end of the file"), "$")

    def position_of(self, error: Exception, base: int) -> int:
        """Return the byte offset of an error of msgspec in the JSON that begins at `base`."""
        byte = _BYTE.search(str(error))
        return base + int(byte[1]) if byte else len(self.data)

    def mismatch(self, error: msgspec.ValidationError, position: int, where: str) -> ParseProblem:
        """Return the problem of a value that has another type than the API gives it."""
        said, _at, path = str(error).partition(" - at `$")
        types = _TYPES.fullmatch(said)
        message = _("a value of type {type}", type=types[2]) if types else said
        return self.problem(
            position, message, types[1] if types else "", where + path.removesuffix("`")
        )


def open_json(path: str, data: bytes) -> JsonFile:
    """Find the JSON in a file: byte order marks, warnings before it and errors instead of it are taken into account."""
    data = _as_utf8(data)
    begin = _BEGIN.search(data)
    start = begin.end() - 1 if begin else None
    before = data[: start if start is not None else len(data)].strip()
    if start is not None and not before:
        return JsonFile(path, data, start, ())
    first_line = before.split(b"\n", 1)[0].decode(errors="replace").strip()[:_SHOWN]
    if not before:
        message = _("the file is empty")
    elif is_kubectl_error(first_line):
        message = _("an error of kubectl instead of JSON")
    elif start is None:
        message = _("no JSON")
    else:
        message = _("text before the JSON")
    line = data[: len(data) - len(data.lstrip())].count(b"\n") + 1
    problem = ParseProblem(path, line, 0, message, "JSON", first_line)
    return JsonFile(path, data, start, (problem,))


def _as_utf8(data: bytes) -> bytes:
    """Return the bytes in UTF-8 without a byte order mark; PowerShell's `>` writes UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    return _LONE_CARRIAGE_RETURN.sub(b"\n", data) if b"\r" in data else data

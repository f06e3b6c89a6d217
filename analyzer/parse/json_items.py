"""The objects of an API dump as raw JSON, whatever form the dump has and however it is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from analyzer.language import _
from analyzer.model.source import ParseProblem
from analyzer.parse.json_file import JsonFile, open_json
from analyzer.parse.json_scan import Elements, complete_elements, members, skip_blanks


class _Envelope(Struct):
    """The fields of a document that tell its form; `items` is null in an empty list of an old API server."""

    kind: Any = None
    metadata: Raw | UnsetType = UNSET
    items: list[Raw] | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class JsonItems:
    """The objects of one dump, not decoded."""

    file: JsonFile
    items: Sequence[Raw] = ()
    kind: str = ""
    """`kind` of the document; empty where it has none."""

    array_start: int | None = None
    """Byte offset of the array of items; None where the document is one object, and that the only item."""

    problems: tuple[ParseProblem, ...] = ()

    def where(self, index: int) -> str:
        """Return the path of an item, `$.items[3]`."""
        if self.array_start is None:
            return "$"
        return f"$[{index}]" if self.array_start == self.file.start else f"$.items[{index}]"

    def starts(self) -> Iterator[int]:
        """Yield the byte offset of each item, in order.

        Items are slices of the file: each begins behind the white space and comma after the one before.
        """
        if self.array_start is None:
            yield self.file.start or 0
            return
        position = self.array_start + 1
        for item in self.items:
            position = skip_blanks(self.file.data, position)
            yield position
            position = skip_blanks(self.file.data, position + memoryview(item).nbytes) + 1


def read_items(path: str, data: bytes) -> JsonItems:
    """Return the objects of a `List`, of a typed list, of a JSON array, or the single object that the file holds.

    Of a damaged file those are returned whose brackets are complete.
    """
    file = open_json(path, data)
    if file.start is None:
        return JsonItems(file, problems=file.problems)
    source = _read(file)
    return replace(source, problems=(*file.problems, *source.problems))


def _read(file: JsonFile) -> JsonItems:
    try:
        return _whole(file)
    except msgspec.ValidationError as error:
        return JsonItems(file, problems=(file.mismatch(error, file.start or 0, "$"),))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        end = file.end_of_json(error)
        if end is None:
            return _damaged(file, error)
        problem = file.trailing(end)
    source = _read(replace(file, data=file.data[:end]))
    return replace(source, problems=(*source.problems, problem))


def _whole(file: JsonFile) -> JsonItems:
    """Return the items of a document without damage; damage is raised."""
    start = file.start or 0
    if file.data[start : start + 1] == b"[":
        return JsonItems(file, msgspec.json.decode(file.body(), type=list[Raw]), array_start=start)
    envelope = msgspec.json.decode(file.body(), type=_Envelope)
    kind = envelope.kind if isinstance(envelope.kind, str) else ""
    if isinstance(envelope.items, list):
        return JsonItems(file, envelope.items, kind, _array_start(file))
    if envelope.items is None or kind.endswith("List"):
        return JsonItems(file, (), kind, start)
    if kind or envelope.metadata is not UNSET:
        return JsonItems(file, (Raw(file.body()),), kind)
    problem = file.problem(start, _("no object of Kubernetes"), _("items or metadata"), "$")
    return JsonItems(file, problems=(problem,))


def _damaged(file: JsonFile, error: Exception) -> JsonItems:
    """Return the items whose brackets are complete, of a document that is not whole."""
    start = file.start or 0
    array_start = _array_start(file)
    if array_start is None:
        return JsonItems(file, problems=(file.malformed(error, start, "$"),))
    found = complete_elements(file.data, array_start)
    view = memoryview(file.data)
    items = [Raw(view[span]) for span in found.spans]
    source = JsonItems(file, items, array_start=array_start)
    return replace(source, problems=tuple(_damage(source, found, error)))


def _damage(source: JsonItems, found: Elements, error: Exception) -> Iterator[ParseProblem]:
    """Yield what is wrong outside of the complete items; what is wrong in them shows when they are decoded."""
    file, where = source.file, source.where(len(found.spans))
    if found.cut_off:
        message = _("the file ends inside its items; those before are read")
        yield file.problem(len(file.data), message, _("the rest"), where, truncation=True)
    elif not found.closed:
        message = _("JSON is malformed between two items; those before are read")
        yield file.problem(found.end, message, _("`,` or `]`"), where, truncation=True)
    elif not isinstance(error, RecursionError):
        position = file.position_of(error, file.start or 0)
        if not any(span.start <= position < span.stop for span in found.spans):
            yield replace(file.malformed(error, file.start or 0, "$"), truncation=False)


def _array_start(file: JsonFile) -> int | None:
    """Return where the array of items begins; None where the document has none."""
    start = file.start or 0
    if file.data[start : start + 1] == b"[":
        return start
    values = (m.value_start for m in members(file.data, start) if m.key == "items")
    value = next(values, None)
    return value if value is not None and file.data[value : value + 1] == b"[" else None

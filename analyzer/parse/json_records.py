"""Raw JSON items as typed records; one that is none does not cost the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from analyzer.model.source import ParseProblem
from analyzer.parse.json_file import DEPTH_LIMIT
from analyzer.parse.json_items import JsonItems
from analyzer.parse.json_scan import is_deeper_than
from analyzer.parse.parsed import Parsed

T = TypeVar("T")


class _Metadata(Struct, frozen=True):
    """What tells where an object belongs."""

    namespace: str = ""


class _Placed(Struct, frozen=True):
    """An object of which nothing else is known."""

    metadata: _Metadata = _Metadata()


def decode_each(
    source: JsonItems, kind: type[T], settle: Callable[[T], None] = lambda _: None
) -> Parsed[tuple[T | None, ...]]:
    """Return each item as a record, by its position; None, and one problem, where it is none.

    `settle` is called with every record as soon as it is read. Bytes that are no UTF-8 become U+FFFD, which is a
    problem, too; the record is kept. Of a key that comes twice in an object the last counts, as in Go's
    encoding/json.
    """
    decoder = msgspec.json.Decoder(kind)
    records: list[T | None] = []
    failures: dict[int, Exception] = {}
    for index, raw in enumerate(source.items):
        json = bytes(raw)
        record = _decoded(decoder, json)
        if isinstance(record, UnicodeDecodeError):
            failures[index] = record
            record = _decoded(decoder, json.decode(errors="replace").encode())
        if isinstance(record, Exception):
            failures[index] = record
            records.append(None)
        else:
            settle(record)
            records.append(record)
    return Parsed(tuple(records), tuple(_problems(source, records, failures)))


def decode_array(
    json: bytes, decoder: msgspec.json.Decoder[list[T]], settle: Callable[[T], None]
) -> list[T]:
    """Return the records of an array that has nothing but such; raise what msgspec has to say against it."""
    if is_deeper_than(DEPTH_LIMIT + 1, json):
        raise RecursionError
    records = decoder.decode(json)
    for record in records:
        settle(record)
    return records


def _decoded(decoder: msgspec.json.Decoder[T], json: bytes) -> T | Exception:
    if is_deeper_than(DEPTH_LIMIT, json):
        return RecursionError()
    try:
        return decoder.decode(json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return error


def _problems(
    source: JsonItems, records: Sequence[object], failures: Mapping[int, Exception]
) -> Iterator[ParseProblem]:
    if not failures:
        return
    for index, start in enumerate(source.starts()):
        match failures.get(index):
            case msgspec.ValidationError() as error:
                problem = source.file.mismatch(error, start, source.where(index))
            case Exception() as error:
                problem = source.file.malformed(error, start, source.where(index))
            case None:
                continue
        lost = _namespace(source.items[index]) if records[index] is None else None
        yield replace(problem, lost_from=lost)


def _namespace(item: Raw) -> str:
    """Return the namespace of an object that is no record; empty where it does not tell it."""
    try:
        return msgspec.json.decode(item, type=_Placed).metadata.namespace
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""

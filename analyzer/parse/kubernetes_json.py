"""API dumps (`kubectl get … -o json`) as typed records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from analyzer.language import _
from analyzer.model.kubernetes import Pod, Resource, Version, Workload, with_ref
from analyzer.model.source import ObjectRef, ParseProblem
from analyzer.parse.json_file import open_json
from analyzer.parse.json_items import JsonItems, read_items
from analyzer.parse.json_pieces import PIECE, ItemPieces
from analyzer.parse.json_records import decode_array, decode_each
from analyzer.parse.parsed import Parsed

R = TypeVar("R", bound=Resource)

_WORKLOADS = frozenset(
    {"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController"}
)


class _Kind(Struct):
    """The kind of an object; the items of a typed list have none."""

    kind: Any = None


class _Status(Struct):
    """An error that the API server answered with (`kind: Status`)."""

    message: str = ""


class _Answer(Struct, rename="camel"):
    """Answer of `/version`, and `kubectl version -o json`, which holds it as `serverVersion`."""

    git_version: str = ""
    server_version: Version | None = None


def decode_objects(path: str, data: bytes, kind: type[R]) -> Parsed[tuple[R, ...]]:
    """Return the objects of a kind in a dump, each knowing its place.

    The dump is a `List`, a typed list, a JSON array or one object. An object that does not fit is one problem
    with its path (`$.items[3].spec.ports[0].port`), at the object's line, and the others are kept. Objects of
    another kind are left out and reported once.
    """
    source = read_items(path, data)
    if source.kind == "Status":
        return Parsed((), (*source.problems, _status(source)))
    strangers = dict(_strangers(source, kind))
    decoded = decode_each(source, kind, _sharing())
    objects = tuple(
        with_ref(found, ObjectRef(path, index))
        for index, found in enumerate(decoded.value)
        if found is not None and index not in strangers
    )
    problems = [*source.problems, *_reported(source, kind, strangers), *decoded.problems]
    problems.sort(key=lambda problem: (problem.line, problem.column))
    return Parsed(objects, tuple(problems))


def read_objects(
    path: str, pieces: Callable[[int], Iterator[bytes]], kind: type[R]
) -> Parsed[tuple[R, ...]]:
    """Return what `decode_objects` does, of a file that `pieces` yields, at most so many bytes at a time.

    Only where something is wrong with a file is all of it in memory.
    """
    source = ItemPieces(pieces(PIECE))
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        objects = _of_arrays(source, kind)
        last = decode_objects(path, source.rest, kind)
        if not objects:
            return last
        if not last.problems:
            found = enumerate([*objects, *last.value])
            return Parsed(tuple([with_ref(item, ObjectRef(path, index)) for index, item in found]))
    return decode_objects(path, b"".join(pieces(PIECE)), kind)


def _of_arrays(source: ItemPieces, kind: type[R]) -> list[R]:
    """Return the objects of all arrays; raise what msgspec has to say against one of them."""
    decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # known when it runs
    share = _sharing()
    objects: list[R] = []
    for array in source.arrays():
        if not objects and _is_stranger(msgspec.json.decode(array, type=list[Raw])[0], kind):
            raise msgspec.ValidationError
        objects += decode_array(array, decoder, share)
    return objects


def _sharing() -> Callable[[Resource], None]:
    """Return what lets pods of one template have the same containers and tolerations: a quarter of their memory."""
    known: dict[object, object] = {}

    def share(item: Resource) -> None:
        if isinstance(item, Pod):
            for part in ("containers", "tolerations"):
                value = getattr(item.spec, part)
                force_setattr(item.spec, part, known.setdefault(value, value))

    return share


def decode_version(path: str, data: bytes) -> Parsed[Version | None]:
    """Return the server's version; None where the file does not tell it."""
    file = open_json(path, data)
    if file.start is None:
        return Parsed(None, file.problems)
    try:
        answer = msgspec.json.decode(file.body(), type=_Answer)
    except msgspec.ValidationError as error:
        return Parsed(None, (*file.problems, file.mismatch(error, file.start, "$")))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Parsed(None, (*file.problems, file.malformed(error, file.start, "$")))
    if answer.git_version:
        return Parsed(Version(git_version=answer.git_version), file.problems)
    if answer.server_version is not None:
        return Parsed(answer.server_version, file.problems)
    problem = file.problem(file.start, _("no version of an API server"), "gitVersion", "$")
    return Parsed(None, (*file.problems, problem))


def _status(source: JsonItems) -> ParseProblem:
    said = decode_each(source, _Status).value
    message = said[0].message if said and said[0] else ""
    problem = source.file.problem(
        source.file.start or 0, _("an error of the API server"), "objects", "$"
    )
    return (
        replace(problem, message=_("an error of the API server: {message}", message=message))
        if message
        else problem
    )


def _strangers(source: JsonItems, kind: type[Resource]) -> Iterator[tuple[int, str]]:
    """Yield the position and kind of the objects that are of another kind.

    `kubectl get services,pods` sorts by kind: unless the first or the last object is a stranger, none is.
    """
    expected = _kinds(kind)
    of_list = source.kind.removesuffix("List")
    if of_list and source.kind != of_list and of_list not in expected:
        yield from ((index, of_list) for index in range(len(source.items)))
        return
    ends = [*source.items[:1], *source.items[-1:]]
    if any(_is_stranger(item, kind) for item in ends):
        found = ((index, _kind(item)) for index, item in enumerate(source.items))
        yield from ((index, name) for index, name in found if name not in {"", *expected})


def _kinds(kind: type[Resource]) -> frozenset[str]:
    return _WORKLOADS if kind is Workload else frozenset({kind.__name__})


def _is_stranger(item: Raw, kind: type[Resource]) -> bool:
    return _kind(item) not in {"", *_kinds(kind)}


def _kind(item: Raw) -> str:
    try:
        kind = msgspec.json.decode(item, type=_Kind).kind
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return kind if isinstance(kind, str) else ""


def _reported(
    source: JsonItems, kind: type[Resource], strangers: dict[int, str]
) -> Iterator[ParseProblem]:
    if strangers:
        names = ", ".join(sorted(set(strangers.values())))
        first = min(strangers)
        start = next(start for index, start in enumerate(source.starts()) if index == first)
        expected = _(" or ").join(sorted(_kinds(kind)))
        message = _("{count} objects of kind {names}", count=len(strangers), names=names)
        yield source.file.problem(start, message, expected, source.where(first))

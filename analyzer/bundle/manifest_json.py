"""`manifest.json` checked against its JSON Schema and read as far as it is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import msgspec

from analyzer.bundle.limits import MAX_MEMBERS, Limits, exceeded
from analyzer.bundle.manifest import Manifest, ManifestEntry, MissingFile
from analyzer.bundle.member_name import shown
from analyzer.bundle.problem import BundleProblem, ProblemKind
from analyzer.bundle.root import MANIFEST
from analyzer.bundle.text import decoded
from analyzer.language import _
from analyzer.model.source import ObjectRef

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_REPORTED = 20
"""Errors of one manifest that are told one by one."""

_VALUES_PER_MEMBER = 32
_NEWER = re.compile(r"svcbundle/v[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class ManifestReading:
    """A manifest and what is wrong with it."""

    manifest: Manifest | None
    """None where the file is no JSON object."""

    problems: tuple[BundleProblem, ...]


def read_manifest(content: bytes, source: str, limits: Limits) -> ManifestReading:
    """Read a manifest; each error is a problem with its JSON path, and leaves out only what it is about."""
    if content.count(b",") > limits.members * _VALUES_PER_MEMBER:
        claim = _("it lists more than {members:,} members could need", members=limits.members)
        return _unread(source, exceeded(claim, MAX_MEMBERS))
    try:
        # Strict: no NaN, no lone surrogates, nothing after the end.
        document = msgspec.json.decode(decoded(MANIFEST, content)[0])
        if not isinstance(document, dict):
            return _unread(source, _("it is no JSON object"))
        errors = sorted(_validator().iter_errors(document), key=_place)
    except ValueError as error:
        return _unread(source, _("it is no JSON: {error}", error=error))
    except RecursionError:
        return _unread(source, _("it is nested too deeply"))
    # One error for each key that is missing, and the same text for all of them.
    problems = list(dict.fromkeys(_problem(source, error) for error in errors[:_REPORTED]))
    if len(errors) > _REPORTED:
        problems.append(
            _note(source, _("{count:,} more errors of this kind", count=len(errors) - _REPORTED))
        )
    return ManifestReading(_manifest(_without(document, errors)), tuple(problems))


def _place(error: ValidationError) -> list[str]:
    return [str(part).zfill(9) for part in error.absolute_path]


def _unread(source: str, reason: str) -> ManifestReading:
    message = _("the manifest is not used: {reason}", reason=reason)
    return ManifestReading(None, (_note(source, message),))


def _note(source: str, message: str, *place: str | int) -> BundleProblem:
    ref = ObjectRef(MANIFEST, -1, place)
    return BundleProblem(ProblemKind.UNREADABLE, source, MANIFEST, message, ref)


@cache
def _validator() -> Draft202012Validator:
    # 0.16 s to import, and of no use to a bundle without manifest.
    from jsonschema import Draft202012Validator, FormatChecker  # noqa: PLC0415

    formats = FormatChecker(formats=())
    formats.checks("date-time", ValueError)(_is_time)
    schema = resources.files("analyzer.bundle").joinpath("manifest.schema.json").read_text()
    return Draft202012Validator(json.loads(schema), format_checker=formats)


def _is_time(instance: object) -> bool:
    return not isinstance(instance, str) or datetime.fromisoformat(instance).tzinfo is not None


def _problem(source: str, error: ValidationError) -> BundleProblem:
    place = tuple(error.absolute_path)
    if error.validator == "required":
        what = _("{missing_keys} is missing", missing_keys=_missing_keys(error))
    elif place == ("format",) and _NEWER.fullmatch(str(error.instance)):
        what = _(
            "the bundle is in format {instance}, newer than what this program knows",
            instance=error.instance,
        )
    else:
        what = _(
            "{shown} is wrong", shown=shown(json.dumps(error.instance, ensure_ascii=False)[:80])
        )
    expected = error.schema["description"] if isinstance(error.schema, dict) else ""
    return _note(
        source,
        _(
            "{shown}: {what} (expected {expected})",
            shown=shown(error.json_path),
            what=what,
            expected=expected,
        ),
        *place,
    )


def _missing_keys(error: ValidationError) -> str:
    required = cast("list[str]", error.validator_value)
    return ", ".join(key for key in required if key not in cast("dict[str, Any]", error.instance))


def _without(document: dict[str, Any], errors: list[ValidationError]) -> dict[str, Any]:
    """Return the document without the entries, nodes and fields that are wrong."""
    wrong = {tuple(error.absolute_path)[:2] for error in errors if error.absolute_path}
    return {
        key: _without_items(key, value, wrong)
        for key, value in document.items()
        if (key,) not in wrong
    }


def _without_items(key: str, value: object, wrong: set[tuple[str | int, ...]]) -> object:
    if isinstance(value, list):
        return [None if (key, index) in wrong else item for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if (key, name) not in wrong}
    return value


def _manifest(document: dict[str, Any]) -> Manifest:
    """Build the manifest from what the schema has let through."""
    tool = document.get("tool", {})
    return Manifest(
        document.get("format", ""),
        " ".join(filter(None, (tool.get("name"), tool.get("version")))),
        document.get("cluster", ""),
        _time(document.get("createdAt")),
        document.get("redacted", False),
        {name: node.get("method", "") for name, node in document.get("nodes", {}).items()},
        {entry.path: entry for entry in _entries(document)},
        {missing.path: missing for missing in _missing(document)},
        tuple(document.get("namespaces", ())),
    )


def _entries(document: dict[str, Any]) -> Iterator[ManifestEntry]:
    for index, entry in enumerate(document.get("entries", ())):
        if entry is not None:
            yield ManifestEntry(
                entry["path"],
                tuple(entry.get("command", ())),
                _time(entry.get("startedAt")),
                entry.get("durationMs"),
                entry.get("exitCode"),
                entry.get("bytes"),
                entry["sha256"].lower() if "sha256" in entry else None,
                entry.get("truncated", False),
                entry.get("stderr", ""),
                index,
            )


def _missing(document: dict[str, Any]) -> Iterator[MissingFile]:
    for index, missing in enumerate(document.get("missing", ())):
        if missing is not None:
            command = tuple(missing.get("command", ()))
            yield MissingFile(missing["path"], missing.get("reason", ""), command, index)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

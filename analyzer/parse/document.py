"""Documents of which single settings are asked: configz, healthz, config.yaml."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from analyzer.language import _
from analyzer.model.node import Document
from analyzer.model.source import ObjectRef, ParseProblem, split_lines
from analyzer.parse.json_file import DEPTH_LIMIT, JsonFile, open_json
from analyzer.parse.json_scan import is_deeper_than
from analyzer.parse.kubectl_error import is_kubectl_error
from analyzer.parse.parsed import Parsed
from analyzer.parse.yaml_tree import YamlError, is_yaml, load_yaml

_SHOWN = 200


def decode_document(path: str, data: bytes, fields: Any = Any) -> Parsed[Document | None]:  # noqa: ANN401 - a type
    """Return the document in a file, YAML or JSON by the file's name; None where it holds none.

    `fields`: a TypedDict of raw values; of a JSON file that fits it, the content has these keys only, and how deep
    the values are nested was not looked at.
    """
    ref = ObjectRef(path, -1)
    if is_yaml(path):
        return _yaml(data.decode("utf-8-sig", errors="replace"), ref)
    return _json(open_json(path, data), ref, fields)


def decode_text(text: str, ref: ObjectRef) -> Parsed[Document | None]:
    """Return the document that is a string inside another one, such as `config.conf` of a ConfigMap.

    `ref` is the string's place. Lines of problems are counted inside the string.
    """
    if text.lstrip().startswith("{"):
        return _json(open_json(ref.path, text.encode(errors="replace")), ref)
    return _yaml(text, ref)


def _yaml(text: str, ref: ObjectRef) -> Parsed[Document | None]:
    try:
        content = load_yaml(text)
    except YamlError as error:
        shown = "".join(split_lines(text)[error.line - 1 : error.line])[:_SHOWN]
        message = _("not readable as YAML: {error}", error=error)
        problem = ParseProblem(ref.path, error.line, error.column, message, "YAML", shown)
        return Parsed(None, (problem,))
    if isinstance(content, dict | list):
        return Parsed(Document(content, ref))
    first_line = text.strip().split("\n")[0][:_SHOWN]
    if not first_line:
        message = _("the file is empty")
    elif is_kubectl_error(first_line):
        message = _("an error of kubectl instead of a document")
    else:
        message = _("a text instead of settings")
    return Parsed(None, (ParseProblem(ref.path, 1, 0, message, _("key: value"), first_line),))


def _json(file: JsonFile, ref: ObjectRef, fields: Any = Any) -> Parsed[Document | None]:  # noqa: ANN401 - a type
    if file.start is None:
        return Parsed(None, file.problems)
    if fields is Any and is_deeper_than(DEPTH_LIMIT, file.body()):
        return Parsed(None, (*file.problems, file.malformed(RecursionError(), file.start, "$")))
    try:
        content: Any = msgspec.json.decode(file.body(), type=fields)
    except msgspec.ValidationError:
        return _json(file, ref)
    except UnicodeDecodeError as error:
        problem = file.malformed(error, file.start, "$")
        repaired = file.data.decode(errors="replace").encode()
        return _json(replace(file, data=repaired, problems=(*file.problems, problem)), ref, fields)
    except (msgspec.DecodeError, RecursionError) as error:
        end = file.end_of_json(error)
        if end is None:
            return Parsed(None, (*file.problems, file.malformed(error, file.start, "$")))
        problems = (*file.problems, file.trailing(end))
        return _json(replace(file, data=file.data[:end], problems=problems), ref, fields)
    if isinstance(content, dict) and content.get("kind") == "Status" and "status" in content:
        message = _("an error of the API server: {get}", get=content.get("message", ""))
        problem = file.problem(file.start, message, _("a document"), "$")
        return Parsed(None, (*file.problems, problem))
    return Parsed(Document(content, ref), file.problems)

"""YAML from a stranger: refused before it is built where building it would cost the memory or the stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from analyzer.model.source import split_lines
from analyzer.parse.json_file import DEPTH_LIMIT

T = TypeVar("T")

SIZE_LIMIT = 1 << 20
"""Characters of YAML that are read: building it takes pyyaml seconds for each million."""

_NODE_LIMIT = 200_000
"""Nodes of a document with its aliases written out, which a "billion laughs" exceeds."""

_UNKNOWN_TO_JSON = frozenset({"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"})


class YamlError(Exception):
    """A text that is no YAML, or none that is read; `line` and `column` from 1, column 0 where unknown."""

    def __init__(self, message: str, line: int = 1, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """Knows JSON's types only, as Kubernetes does: a date is a string."""


_Loader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] not in _UNKNOWN_TO_JSON]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def is_yaml(path: str) -> bool:
    """Tell by its name whether a file holds YAML."""
    return path.endswith((".yaml", ".yml"))


def load_yaml(text: str) -> Any:  # noqa: ANN401 - a document is any YAML
    """Return the first document of a text as dicts, lists and scalars; raise YamlError."""
    return _guarded(text, lambda loader: loader.get_data() if loader.check_data() else None)


def compose_yaml(text: str) -> yaml.Node | None:
    """Return the first document of a text as nodes with their places; raise YamlError."""
    return _guarded(text, lambda loader: loader.get_node() if loader.check_node() else None)


def _guarded(text: str, build: Callable[[Any], T]) -> T:
    if len(text) > SIZE_LIMIT:
        raise YamlError(f"longer than {SIZE_LIMIT} characters")
    try:
        _refuse_bombs(text)
        return build(_Loader(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "malformed"
        last_line = max(len(split_lines(text)), 1)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 0)
        raise YamlError(said, min(line, last_line), column) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(str(error).split("\n")[0]) from error


@dataclass(slots=True)
class _Open:
    """A collection that is not closed yet."""

    anchor: str | None
    size: int = 1


def _refuse_bombs(text: str) -> None:
    """Raise YamlError where the first document is nested too deep or grows too large by its aliases."""
    sizes: dict[str, int] = {}
    opened: list[_Open] = [_Open(None)]
    for event in yaml.parse(text, Loader=_Loader):
        match event:
            case yaml.CollectionStartEvent():
                opened.append(_Open(event.anchor))
                if len(opened) > DEPTH_LIMIT:
                    raise _refusal(f"nested deeper than {DEPTH_LIMIT} levels", event)
                continue
            case yaml.CollectionEndEvent():
                closed = opened.pop()
            case yaml.ScalarEvent():
                closed = _Open(event.anchor)
            case yaml.AliasEvent():
                closed = _Open(None, sizes.get(event.anchor or "", _NODE_LIMIT))
            case yaml.DocumentEndEvent():
                return
            case _:
                continue
        if closed.anchor:
            sizes[closed.anchor] = closed.size
        opened[-1].size += closed.size
        if opened[-1].size > _NODE_LIMIT:
            raise _refusal("aliases that make the document too large", event)


def _refusal(message: str, event: yaml.Event) -> YamlError:
    mark = event.start_mark
    return YamlError(message, mark.line + 1, mark.column + 1) if mark else YamlError(message)

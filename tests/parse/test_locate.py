from __future__ import annotations

import json
import time as clock
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model.source import ObjectRef
from analyzer.parse.locate import Locator, locate

Path = tuple[str | int, ...]

DOCUMENT = """\
{
    "apiVersion": "v1",
    "items": [
        {
            "metadata": {
                "name": "a",
                "annotations": {"x": "{\\"items\\": [1]}"},
                "labels": {
                    "app.kubernetes.io/name": "web",
                    "app": "]}"
                }
            },
            "spec": {
                "ports": [
                    {"port": 80},
                    {
                        "port": 443
                    }
                ]
            }
        },
        {"metadata": {"name": "b"}}
    ],
    "kind": "List"
}
"""


def place(text: str, index: int, *field: str | int, path: str = "f.json") -> tuple[int, int]:
    found = locate(text.encode(), ObjectRef(path, index, field))
    assert found.text == text.split("\n")[found.line - 1]
    return found.line, found.column


@pytest.mark.parametrize(
    ("index", "field", "expected"),
    [
        pytest.param(0, (), (4, 9), id="object"),
        pytest.param(1, (), (22, 9), id="next object"),
        pytest.param(1, ("metadata", "name"), (22, 23), id="field on the object's line"),
        pytest.param(0, ("metadata", "name"), (6, 17), id="key"),
        pytest.param(
            0, ("metadata", "labels", "app.kubernetes.io/name"), (9, 21), id="key with dots"
        ),
        pytest.param(0, ("metadata", "labels", "app"), (10, 21), id="key that begins another"),
        pytest.param(0, ("spec", "ports", 0), (15, 21), id="element"),
        pytest.param(0, ("spec", "ports", 1), (16, 21), id="element over several lines"),
        pytest.param(0, ("spec", "ports", 1, "port"), (17, 25), id="key in an element"),
        pytest.param(0, ("spec", "ports", 2, "port"), (14, 17), id="no such element"),
        pytest.param(0, ("spec", "ports", "x"), (14, 17), id="key of a list"),
        pytest.param(0, ("spec", "type"), (13, 13), id="no such key"),
        pytest.param(0, ("metadata", "name", "x"), (6, 17), id="below a scalar"),
        pytest.param(0, ("nothing", "name"), (4, 9), id="nothing at all"),
        pytest.param(2, ("metadata",), (1, 1), id="no such object"),
        pytest.param(-1, (), (1, 1), id="document"),
        pytest.param(-1, ("kind",), (24, 5), id="key of the document"),
        pytest.param(-1, ("items", 1, "metadata"), (22, 10), id="through the list"),
    ],
)
def test_the_deepest_field_that_exists_is_found(
    index: int, field: Path, expected: tuple[int, int]
) -> None:
    assert place(DOCUMENT, index, *field) == expected


@pytest.mark.parametrize(
    ("text", "index", "field", "expected"),
    [
        ('[\n{"a":1},\n{"b":2}\n]', 1, ("b",), (3, 2)),
        ('{"kind":"Service",\n"metadata":1}', 0, ("metadata",), (2, 1)),
        ('{"kind":"List","items":[\n{"a":1}\n]}', 0, ("a",), (2, 2)),
        ('{"a":1,\n"a":2}', -1, ("a",), (2, 1)),
        ('{"ClusterCIDR":1,\n"b":2}', -1, ("clusterCIDR",), (1, 2)),
        ('{"CLUSTERCIDR":1,\n"clusterCIDR":2}', -1, ("clusterCIDR",), (2, 1)),
        ('{"\\u0061":1,\n"b":2}', -1, ("a",), (1, 2)),
        ('{"ä":"ö","b":1}', -1, ("b",), (1, 10)),
        ("Warning: x\n[\n{}]", 0, (), (3, 1)),
        ('[{"a":1},\n{"b":2},\n{"c":', 1, ("b",), (2, 2)),
        ("", 0, ("a",), (1, 1)),
        ("no json", 0, ("a",), (1, 1)),
        ('{"a":[1,\n2', -1, ("a", 1), (2, 1)),
    ],
)
def test_other_forms_and_damaged_files(
    text: str, index: int, field: Path, expected: tuple[int, int]
) -> None:
    assert place(text, index, *field) == expected


# --- text ------------------------------------------------------------------------------------------------


def test_a_long_line_is_cut_around_the_column() -> None:
    text = json.dumps({"items": [{"metadata": {"name": f"ä{n}"}} for n in range(1000)]})
    found = locate(text.encode(), ObjectRef("f", 500, ("metadata", "name")))
    assert (found.line, found.column) == (1, text.index('"name": "\\u00e4500"') + 1)
    assert '"name": "\\u00e4500"' in found.text
    assert len(found.text) <= 400
    assert found.text[0] == found.text[-1] == "…"


def test_a_long_line_that_ends_behind_the_column_keeps_its_end() -> None:
    text = json.dumps({"a": "x" * 5000, "b": "end"})
    found = locate(text.encode(), ObjectRef("f", -1, ("b",)))
    assert found.text.endswith('"b": "end"}')
    assert found.text.startswith("…")


@pytest.mark.parametrize("length", [398, 399, 400, 401])
def test_a_line_of_400_characters_is_shown_whole(length: int) -> None:
    text = json.dumps({"a": "x" * (length - 17), "b": 1})
    assert len(text) == length
    found = locate(text.encode(), ObjectRef("f", -1, ("b",)))
    assert (found.text == text) == (length <= 400)
    assert len(found.text) <= 400


def test_the_carriage_return_of_a_line_is_not_shown() -> None:
    assert locate(b'{\r\n"a": 1\r\n}', ObjectRef("f", -1, ("a",))).text == '"a": 1'


@pytest.mark.parametrize("path", ["f.json", "f.yaml"])
@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_lines_are_counted_as_editors_do(path: str, end: str) -> None:
    text = end.join(["{", '"a": 1,', '"b": 2', "}", ""])
    found = locate(text.encode(), ObjectRef(path, -1, ("b",)))
    assert (found.line, found.column, found.text) == (3, 1, '"b": 2')


def test_many_references_into_a_large_file_cost_little_more_than_one() -> None:
    text = json.dumps({"items": [{"x": {"y": n}} for n in range(200_000)]}, indent=1)
    locator = Locator("f", text.encode())
    start = clock.process_time()
    lines = [locator.locate(ObjectRef("f", n, ("x", "y"))).line for n in range(0, 200_000, 200)]
    assert lines == [n * 5 + 5 for n in range(0, 200_000, 200)]
    assert clock.process_time() - start < 2


# --- YAML ------------------------------------------------------------------------------------------------

YAML = """\
apiVersion: v1
conntrack:
  max: 1
list:
- a: 1
  b: {c: 2}
- "quoted key": é
  d: x
"""


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ((), (1, 1)),
        (("conntrack", "max"), (3, 3)),
        (("conntrack", "min"), (2, 1)),
        (("CONNTRACK",), (2, 1)),
        (("list", 0), (5, 3)),
        (("list", 0, "b", "c"), (6, 7)),
        (("list", 1, "quoted key"), (7, 3)),
        (("list", 1, "d"), (8, 3)),
        (("list", 2), (4, 1)),
        (("apiVersion", "x"), (1, 1)),
    ],
)
def test_yaml(field: Path, expected: tuple[int, int]) -> None:
    assert place(YAML, -1, *field, path="f.yaml") == expected


@pytest.mark.parametrize(
    ("text", "index", "field", "expected"),
    [
        ("items:\n- a: 1\n- b: 2\n", 1, ("b",), (3, 3)),
        ("- a: 1\n- b: 2\n", 1, ("b",), (2, 3)),
        ("- a: 1\n- b: 2\n", 0, ("a",), (1, 3)),
        ("x: 1\nitems:\n- a: 1\n", 0, ("a",), (3, 3)),
        ("a: 1\nb: [x", -1, ("a",), (2, 1)),
        ("a: 1\nb: 2\n", 0, ("b",), (2, 1)),
        ("", -1, ("a",), (1, 1)),
        ("a: 1\nb: [\nx", -1, ("a",), (3, 1)),
        ("[" * 1000, -1, (), (1, 1)),
    ],
)
def test_yaml_in_other_forms_and_damaged(
    text: str, index: int, field: Path, expected: tuple[int, int]
) -> None:
    found = locate(text.encode(), ObjectRef("f.yaml", index, field))
    assert (found.line, found.column) == expected


# --- any document ----------------------------------------------------------------------------------------

keys = st.text(max_size=8) | st.sampled_from(['"', "{", "}", "[", "a.b/c", "\\", "items", "A", "a"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(['"}', "]", '\\"', ","]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)


def printed(value: Any, path: Path, line: int) -> Iterator[tuple[Path, int]]:
    """Every path of a value that `json.dumps(indent=…)` prints from a line on, with its line; and the last line."""
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    last = line
    for key, child in children:
        yield (*path, key), last + 1
        for below, at in printed(child, (*path, key), last + 1):
            if below != ():
                yield below, at
            else:
                last = at
    yield (), last + (last != line)


@settings(max_examples=300, deadline=None)
@given(st.lists(values, max_size=4), st.integers(1, 4), st.booleans())
def test_the_line_of_every_field_of_any_document(
    items: list[Any], indent: int, ascii_only: bool
) -> None:
    document = {"apiVersion": "v1", "items": [{"metadata": item} for item in items], "kind": "List"}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    locator = Locator("f", text.encode())
    for path, line in printed(document, (), 1):
        if path[:1] == ("items",) and len(path) > 1:
            ref = ObjectRef("f", int(path[1]), path[2:])
        else:
            ref = ObjectRef("f", -1, path)
        found = locator.locate(ref)
        if path:
            assert found.line == line
            key = path[-1]
            shown = text.split("\n")[line - 1]
            if isinstance(key, str):
                expected = json.dumps(key, ensure_ascii=ascii_only)
                assert shown[found.column - 1 :].startswith(f"{expected}: ")
            else:
                assert shown[: found.column - 1].isspace()


@settings(max_examples=200, deadline=None)
@given(st.lists(values, min_size=1, max_size=4))
def test_a_minified_document_is_found_at_the_same_place_as_a_printed_one(items: list[Any]) -> None:
    document = [{"metadata": item} for item in items]
    minified = json.dumps(document, separators=(",", ":"))
    locator = Locator("f", minified.encode())
    for path, _ in printed(document, (), 1):
        if path:
            found = locator.locate(ObjectRef("f", int(path[0]), path[1:]))
            value: Any = document
            for key in path:
                value = value[key]
            prefix = f"{json.dumps(path[-1])}:" if isinstance(path[-1], str) else ""
            expected = prefix + json.dumps(value, separators=(",", ":"))
            assert found.line == 1
            assert minified[found.column - 1 :].startswith(expected)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text("abXY.-/", min_size=1, max_size=6), values, max_size=4))
def test_a_key_of_any_yaml_document_is_found_where_it_stands(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    for key in document:
        found = locate(text.encode(), ObjectRef("f.yaml", -1, (key,)))
        line = text.split("\n")[found.line - 1]
        assert yaml.safe_load(line[found.column - 1 :].split(":")[0].removeprefix("? ")) == key


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(-1, 3), st.lists(keys | st.integers(0, 3), max_size=3))
def test_any_bytes_have_a_place(data: bytes, index: int, field: list[str | int]) -> None:
    for path in ("f.json", "f.yaml"):
        found = locate(data, ObjectRef(path, index, tuple(field)))
        assert found.line >= 1
        assert found.column >= 1

from __future__ import annotations

import json
import time as clock
from typing import Any

import pytest

from analyzer.model.source import ObjectRef
from analyzer.parse.document import decode_document, decode_text

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


def content(path: str, text: str) -> Any:
    parsed = decode_document(path, text.encode())
    assert parsed.problems == ()
    assert parsed.value is not None
    assert parsed.value.ref == ObjectRef(path, -1)
    return parsed.value.content


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "a.json",
            '{"mode": "ipvs", "n": [1, 2.5, true, null]}',
            {"mode": "ipvs", "n": [1, 2.5, True, None]},
        ),
        ("a.json", "[1]", [1]),
        (
            "a.yaml",
            "mode: ipvs\nn: [1, 2.5, true, null]",
            {"mode": "ipvs", "n": [1, 2.5, True, None]},
        ),
        ("a.yml", "- 1", [1]),
        ("a.yaml", "---\na: 1\n---\nb: 2\n", {"a": 1}),
        ("a.yaml", "at: 2020-01-01\neq: =\n", {"at": "2020-01-01", "eq": "="}),
        ("a.yaml", "a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a.yaml", "\ufeffa: 1", {"a": 1}),
        ("a.yaml", '{"a": 1}', {"a": 1}),
    ],
)
def test_documents(path: str, text: str, expected: Any) -> None:
    assert content(path, text) == expected


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.json", "", 1),
        ("a.json", '\n{"a":', 2),
        ("a.json", '{"a":\nNaN}', 2),
        ("a.json", "404 page not found", 1),
        ("a.json", "Error from server (NotFound): x", 1),
        ("a.json", '{"kind":"Status","status":"Failure","message":"m"}', 1),
        ("a.json", "[" * 100_000, 1),
        ("a.json", '{"a":' + "[" * 201 + "]" * 201 + "}", 1),
        ("a.yaml", "", 1),
        ("a.yaml", "# only a comment", 1),
        ("a.yaml", "404 page not found", 1),
        ("a.yaml", "a: 1\nb: [\nx", 3),
        ("a.yaml", "a: 1\n\tb: 2", 2),
        ("a.yaml", "a: 1\nb: *nothing", 2),
        ("a.yaml", "a: 1\nb: &b [*b]", 2),
        ("a.yaml", "a: !!python/object/apply:os.system [id]", 1),
        ("a.yaml", "a: 1" + "0" * 5000, 1),
        ("a.yaml", "a\0: 1", 1),
        ("a.yaml", "? {b: c}\n: d", 1),
        ("a.yaml", "[" * 100_000, 1),
        ("a.yaml", "- " * 100_000, 1),
        ("a.yaml", "a: 1\n" * 300_000, 1),
        ("a.yaml", LAUGHS, 6),
    ],
    ids=range(23),
)
def test_what_is_no_document_is_one_problem_at_its_line(path: str, text: str, line: int) -> None:
    start = clock.process_time()
    parsed = decode_document(path, text.encode())
    assert parsed.value is None
    assert [(p.path, p.line) for p in parsed.problems] == [(path, line)]
    assert clock.process_time() - start < 2


@pytest.mark.parametrize(
    ("text", "column"), [("a: 1\nb: *nothing", 4), ("a: !!python/name:x y", 4), ("a: 1\n- b", 1)]
)
def test_a_problem_of_yaml_has_its_column(text: str, column: int) -> None:
    assert [p.column for p in decode_document("a.yaml", text.encode()).problems] == [column]


def test_text_around_the_json_is_reported_and_the_json_read() -> None:
    parsed = decode_document("a.json", b'Warning: x\n{"a": 1}\ncurl: done')
    assert parsed.value is not None
    assert parsed.value.content == {"a": 1}
    assert [p.line for p in parsed.problems] == [1, 3]


@pytest.mark.parametrize("path", ["a.json", "a.yaml"])
def test_bytes_that_are_no_utf_8_do_not_cost_the_document(path: str) -> None:
    parsed = decode_document(path, b'{"a": "x\xff"}')
    assert parsed.value is not None
    assert parsed.value.content == {"a": "x\ufffd"}


def test_a_status_in_a_settings_key_is_no_error() -> None:
    assert content("a.json", '{"kind": "Status"}') == {"kind": "Status"}


@pytest.mark.parametrize("text", ["mode: ipvs\n", json.dumps({"mode": "ipvs"})])
def test_a_document_inside_another_keeps_its_place(text: str) -> None:
    ref = ObjectRef("cluster/configmaps.json", 2, ("data", "config.conf"))
    parsed = decode_text(text, ref)
    assert parsed.problems == ()
    assert parsed.value is not None
    assert (parsed.value.content, parsed.value.ref) == ({"mode": "ipvs"}, ref)


@pytest.mark.parametrize("text", ["", "plain", '{"a":', "a: ["])
def test_a_bad_document_inside_another_is_a_problem_of_the_file(text: str) -> None:
    parsed = decode_text(text, ObjectRef("cluster/configmaps.json", 2, ("data", "x")))
    assert parsed.value is None
    assert [p.path for p in parsed.problems] == ["cluster/configmaps.json"]

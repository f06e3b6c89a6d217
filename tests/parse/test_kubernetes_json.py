from __future__ import annotations

import json
import time as clock
from pathlib import Path
from typing import Any

import pytest

from analyzer.model.kubernetes import (
    EndpointSlice,
    Event,
    Namespace,
    Node,
    Pod,
    Resource,
    Service,
    Workload,
)
from analyzer.model.source import ObjectRef
from analyzer.parse.kubernetes_json import decode_objects, decode_version

KINDS: dict[str, type[Resource]] = {
    "services": Service,
    "pods": Pod,
    "nodes": Node,
    "endpointslices": EndpointSlice,
    "namespaces": Namespace,
    "deployments": Workload,
    "daemonsets": Workload,
    "events": Event,
}


def named(name: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **fields}


def listed(*items: Any, kind: str = "List") -> dict[str, Any]:
    return {"apiVersion": "v1", "items": list(items), "kind": kind}


def names(data: bytes, kind: type[Resource] = Service) -> list[tuple[str, ObjectRef]]:
    parsed = decode_objects("services.json", data, kind)
    assert parsed.problems == ()
    return [(found.name, found.ref) for found in parsed.value]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(json.dumps(listed(named("a"), named("b"))), id="List"),
        pytest.param(
            json.dumps(listed(named("a"), named("b"), kind="ServiceList"), indent=4),
            id="typed list",
        ),
        pytest.param(
            json.dumps({"kind": "List", "metadata": {}, "items": [named("a"), named("b")]}),
            id="items last",
        ),
        pytest.param(json.dumps({"items": [named("a"), named("b")]}), id="without a kind"),
        pytest.param(json.dumps([named("a"), named("b")], indent=1), id="array"),
        pytest.param("\ufeff" + json.dumps([named("a"), named("b")]), id="byte order mark"),
    ],
)
def test_every_form_of_a_list(document: str) -> None:
    expected = [("a", ObjectRef("services.json", 0)), ("b", ObjectRef("services.json", 1))]
    assert names(document.encode()) == expected


def test_a_single_object_is_the_first() -> None:
    document = json.dumps(named("a", kind="Service")).encode()
    assert names(document) == [("a", ObjectRef("services.json", 0))]


def test_powershell_writes_utf_16() -> None:
    assert [n for n, _ in names(json.dumps(listed(named("ä"))).encode("utf-16"))] == ["ä"]


@pytest.mark.parametrize(
    "document",
    [listed(), {"kind": "ServiceList", "items": None}, {"kind": "ServiceList", "metadata": {}}, []],
)
def test_an_empty_list_has_no_objects_and_no_problem(document: Any) -> None:
    assert names(json.dumps(document).encode()) == []


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    assert [n for n, _ in names(b'{"items":[{"metadata":{"name":"a","name":"b"}}]}')] == ["b"]


# --- bad objects -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        (named("x", spec={"ports": [{"port": 1}, {"port": "http"}]}), ".spec.ports[1].port"),
        (named("x", spec={"ports": [{"port": 99999}]}), ".spec.ports[0].port"),
        (named("x", spec={"ports": {}}), ".spec.ports"),
        (named(3), ".metadata.name"),
        ({"metadata": None}, ".metadata"),
        ("text", ""),
        (None, ""),
        ([], ""),
    ],
)
def test_a_bad_object_is_one_problem_with_its_path_and_the_others_are_kept(
    bad: Any, where: str
) -> None:
    document = json.dumps(listed(named("a"), bad, named("c")), indent=1)
    parsed = decode_objects("f", document.encode(), Service)
    assert [(s.name, s.ref.index) for s in parsed.value] == [("a", 0), ("c", 2)]
    (problem,) = parsed.problems
    assert problem.text == f"$.items[1]{where}"
    assert problem.line == 9
    assert document.split("\n")[8].strip()[0] in '{"n['
    assert not problem.truncation


def test_objects_of_another_kind_are_left_out_and_reported_once() -> None:
    document = listed(named("a", kind="Service"), named("p", kind="Pod"), named("q", kind="Pod"))
    parsed = decode_objects("f", json.dumps(document, indent=1).encode(), Service)
    assert [s.name for s in parsed.value] == ["a"]
    (problem,) = parsed.problems
    assert (problem.text, problem.expected) == ("$.items[1]", "Service")
    assert "2 objects of kind Pod" in problem.message


def test_a_list_of_another_kind_is_no_list_of_services() -> None:
    parsed = decode_objects("f", json.dumps(listed(named("p"), kind="PodList")).encode(), Service)
    assert (parsed.value, len(parsed.problems)) == ((), 1)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"])
def test_workloads_are_of_four_kinds(kind: str) -> None:
    document = json.dumps(listed(named("a", kind=kind), kind=f"{kind}List")).encode()
    assert [n for n, _ in names(document, Workload)] == ["a"]


def test_bytes_that_are_no_utf_8_are_replaced_and_reported() -> None:
    document = b'{"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b\xff"}}]}'
    parsed = decode_objects("f", document, Service)
    assert [s.name for s in parsed.value] == ["a", "b\ufffd"]
    assert [p.text for p in parsed.problems] == ["$.items[1]"]


# --- damaged documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 4])
def test_of_a_document_cut_anywhere_the_complete_objects_are_kept(indent: int | None) -> None:
    document = json.dumps(listed(named('"]},{"'), named("b"), named("c")), indent=indent)
    begin = document.index("[") + 1
    close = document.rindex("]")
    for cut in range(begin, len(document)):
        parsed = decode_objects("f", document[:cut].encode(), Service)
        complete = [s.name for s in parsed.value]
        assert complete == ['"]},{"', "b", "c"][: len(complete)]
        assert len(parsed.problems) == 1
        assert parsed.problems[0].truncation == (cut <= close)
        assert ("inside its items" in parsed.problems[0].message) == (cut <= close)
        objects = sum(document[:cut].rstrip(" \n,]}").endswith(f'"{n}"') for n in "bc")
        assert len(complete) >= objects - 1
    whole = decode_objects("f", document.encode(), Service)
    assert len(whole.value) == 3


@pytest.mark.parametrize(
    ("document", "kept", "where", "truncation"),
    [
        (
            '{"items":[{"metadata":{"name":"a"}},{"x":NaN},{"metadata":{"name":"c"}}]}',
            "ac",
            "$.items[1]",
            False,
        ),
        (
            '{"items":[{"metadata":{"name":"a"}},{"x":1,},{"metadata":{"name":"c"}}]}',
            "ac",
            "$.items[1]",
            False,
        ),
        (
            '{"items":[{"metadata":{"name":"a"}} {"metadata":{"name":"c"}}]}',
            "a",
            "$.items[1]",
            True,
        ),
        ('[{"metadata":{"name":"a"}},{"x":"', "a", "$[1]", True),
        ('{"items":[{"metadata":{"name":"a"}}],"kind":NaN}', "a", "$", False),
        ('{"items":[{"metadata":{"name":"a"}}]}\nWarning: x', "a", "$", False),
        ('{"items":[{"metadata":{"name":"a"}}]}{"items":[]}', "a", "$", False),
        ('{"kind":"Service","metadata":{"name":"a"', "", "$", True),
    ],
)
def test_damage_costs_as_little_as_can_be(
    document: str, kept: str, where: str, *, truncation: bool
) -> None:
    parsed = decode_objects("f", document.encode(), Service)
    assert "".join(s.name for s in parsed.value) == kept
    assert [(p.text, p.truncation) for p in parsed.problems] == [(where, truncation)]


def test_a_lost_bracket_costs_its_object_and_those_behind() -> None:
    document = '{"items":[{"metadata":{"name":"a"}},{"x":{"y":1},{"metadata":{"name":"c"}}]}'
    parsed = decode_objects("f", document.encode(), Service)
    assert [s.name for s in parsed.value] == ["a"]
    found = [(p.text, p.truncation) for p in parsed.problems]
    assert found == [("$.items[1]", False), ("$.items[2]", True)]


def test_a_malformed_place_has_its_line_and_column() -> None:
    document = '{\n "items": [\n  {"metadata": {"name": "ä", "x": NaN}}\n ]\n}'
    (problem,) = decode_objects("f", document.encode(), Service).problems
    assert (problem.line, problem.column) == (3, 35)


@pytest.mark.parametrize("depth", [201, 300, 100_000])
def test_an_object_that_is_nested_too_deep_costs_only_itself(depth: int) -> None:
    deep = "[" * (depth - 1) + "]" * (depth - 1)
    document = (
        f'{{"items":[{{"metadata":{{"name":"a"}}}},{{"x":{deep}}},{{"metadata":{{"name":"c"}}}}]}}'
    )
    parsed = decode_objects("f", document.encode(), Service)
    assert [s.name for s in parsed.value] == ["a", "c"]
    assert [(p.text, "deeper" in p.message) for p in parsed.problems] == [("$.items[1]", True)]


def test_nesting_up_to_the_limit_is_read_and_brackets_in_strings_are_none() -> None:
    deep = "[" * 199 + "]" * 199
    text = json.dumps('["' * 500 + "\\")
    document = f'{{"items":[{{"metadata":{{"name":"a"}},"x":{deep},"y":{text}}}]}}'
    assert [n for n, _ in names(document.encode())] == ["a"]


@pytest.mark.parametrize(
    "document", ["[" * 100_000, '{"a":' * 100_000, '{"items":' + "[" * 100_000]
)
def test_a_hundred_thousand_brackets_are_a_problem_and_no_crash(document: str) -> None:
    parsed = decode_objects("f", document.encode(), Service)
    assert (parsed.value, len(parsed.problems)) == ((), 1)


# --- what is no dump -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'Error from server (Forbidden): services is forbidden: User "x" cannot list',
        "No resources found in default namespace.",
        'error: the server doesn\'t have a resource type "x"',
        "404 page not found",
        "apiVersion: v1",
        "",
        "  \n",
        '"text"',
        "3",
    ],
)
def test_text_that_is_no_json_is_a_problem_that_shows_it(text: str) -> None:
    parsed = decode_objects("f", text.encode(), Service)
    assert parsed.value == ()
    assert [p.text for p in parsed.problems] == [text.strip()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("Error from server (Forbidden): x", "an error of kubectl instead of JSON"),
        ("404 page not found", "no JSON"),
        ("note: x\n[]", "text before the JSON"),
    ],
)
def test_the_message_tells_what_stands_there_instead(text: str, message: str) -> None:
    assert [p.message for p in decode_objects("f", text.encode(), Service).problems] == [message]


def test_a_bad_single_object_has_a_path_without_items() -> None:
    parsed = decode_objects("f", b'{"kind":"Service","metadata":{"name":3}}', Service)
    assert [p.text for p in parsed.problems] == ["$.metadata.name"]


@pytest.mark.parametrize("document", ["{}", '{"foo":1}', '{"items":{}}', '{"items":"x"}'])
def test_json_without_objects_is_a_problem(document: str) -> None:
    parsed = decode_objects("f", document.encode(), Service)
    assert (parsed.value, len(parsed.problems)) == ((), 1)


def test_a_status_of_the_api_server_is_a_problem_with_its_message() -> None:
    document = {
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": "services is forbidden",
    }
    parsed = decode_objects("f", json.dumps(document).encode(), Service)
    assert parsed.value == ()
    assert "services is forbidden" in parsed.problems[0].message


def test_warnings_before_the_json_are_reported_and_do_not_move_lines() -> None:
    document = b'Warning: v1 Endpoints is deprecated\n{"items":[\n{"metadata":{"name":3}},\n{"metadata":{"name":"b"}}]}'
    parsed = decode_objects("f", document, Service)
    assert [(s.name, s.ref.index) for s in parsed.value] == [("b", 1)]
    assert [p.line for p in parsed.problems] == [1, 3]


# --- versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        '{"major":"1","gitVersion":"v1.36.2"}',
        '{"clientVersion":{"gitVersion":"v1.1.1"},"serverVersion":{"gitVersion":"v1.36.2"}}',
    ],
)
def test_the_servers_version(document: str) -> None:
    parsed = decode_version("version.json", document.encode())
    assert parsed.value is not None
    assert (parsed.value.git_version, parsed.problems) == ("v1.36.2", ())


@pytest.mark.parametrize(
    "document",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"gitVersion":3}',
        '{"gitVersion":',
        "[" * 100_000,
        '{"clientVersion":{}}',
    ],
)
def test_no_version_is_a_problem(document: str) -> None:
    parsed = decode_version("version.json", document.encode())
    assert (parsed.value, len(parsed.problems)) == (None, 1)


# --- many ------------------------------------------------------------------------------------------------


def test_ten_megabytes_take_less_than_a_second() -> None:
    pod = named("p", spec={"containers": [{"name": "c", "env": [{"name": "x"}] * 50}]})
    document = json.dumps(listed(*[pod] * 5000), indent=4).encode()
    start = clock.process_time()
    parsed = decode_objects("f", document, Pod)
    assert len(parsed.value) == 5000
    assert len(document) > 10_000_000
    assert clock.process_time() - start < 1


@pytest.mark.parametrize("folder", ["realworld/objects"])
def test_strangers_objects_are_read_or_reported(shared: Path, folder: str) -> None:
    files = sorted((shared / folder).glob("*.json"))
    if not files:
        pytest.skip(f"no JSON in ../shared/{folder}")
    read = 0
    for file in files:
        for kind in (Pod, Node, Service, Event, Namespace):
            parsed = decode_objects(file.name, file.read_bytes(), kind)
            read += len(parsed.value)
    assert read > 150


def test_pods_of_one_template_share_what_is_equal_in_them() -> None:
    pods = [
        {
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "nodeName": name,
                "containers": [{"name": "web", "image": image}],
                "tolerations": [{"key": "node.kubernetes.io/not-ready"}],
            },
        }
        for name, image in (("a", "web:1"), ("b", "web:1"), ("c", "web:2"))
    ]
    data = json.dumps(listed(*pods)).encode()
    a, b, c = decode_objects("cluster/pods.json", data, Pod).value
    assert a.spec.containers is b.spec.containers
    assert a.spec.tolerations is c.spec.tolerations
    assert [p.containers[0].image for p in (a, b, c)] == ["web:1", "web:1", "web:2"]
    assert [p.spec.node_name for p in (a, b, c)] == ["a", "b", "c"]

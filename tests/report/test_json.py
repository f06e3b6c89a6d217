from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from analyzer.findings import Report
from analyzer.model.bundle import BundleIdentity
from analyzer.report.json import render_json, report_schema
from tests.report import factories as make
from tests.report.cases import CASES, hostile, one_broken

CONTRACT = {
    "": {"schema", "bundle", "nodes", "services", "findings", "notEvaluated", "summary"},
    "bundle": {"path", "cluster", "createdAt", "kubernetes", "nodes", "services"},
    "nodes": {"name", "proxyMode", "kubeProxy", "backend"},
    "services": {"namespace", "name", "verdict", "ports", "stations", "cause"},
    "findings": {
        *("id", "check", "severity", "station", "service", "port", "node", "pod", "message"),
        *("evidence", "remedy", "verified", "causedBy", "references"),
    },
    "notEvaluated": {"check", "subject", "missing", "command"},
    "summary": {"error", "warning", "info", "notEvaluated"},
}
"""Fields of `svcbundle/report/v1` that others build on: more may come, none may go."""


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = report_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("case", CASES)
def test_every_report_is_valid_and_as_it_was(
    case: str, validator: Draft202012Validator, golden: Callable[[str, str], None]
) -> None:
    text = render_json(CASES[case]())
    validator.validate(json.loads(text))
    golden(f"{case}.json", text)


@pytest.mark.parametrize("part", CONTRACT)
def test_the_fields_of_the_contract_are_there_and_required(part: str) -> None:
    document = json.loads(render_json(one_broken()))
    value = document[part] if part else document
    found = value[0] if isinstance(value, list) else value
    assert CONTRACT[part] <= set(found)
    names = {"": "", "nodes": "node", "services": "service", "findings": "finding"}
    schema = report_schema()
    described = schema["$defs"][names.get(part, part)] if part else schema
    assert set(found) == set(described["required"]) == set(described["properties"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("bundle", "surprise"), 1),
        (("findings", 0, "evidence"), []),
        (("findings", 0, "severity"), "fatal"),
        (("services", 0, "stations", 0, "status"), "ok"),
        (("bundle", "createdAt"), 1),
        (("services", 0, "cause"), "1"),
    ],
)
def test_the_schema_refuses_what_the_contract_does_not_have(
    path: tuple[str | int, ...], value: object, validator: Draft202012Validator
) -> None:
    document = json.loads(render_json(one_broken()))
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(ValidationError):
        validator.validate(document)


def test_hostile_text_is_kept_as_ascii_that_strict_readers_accept() -> None:
    text = render_json(hostile())
    assert text.isascii()
    names = [item["name"] for item in msgspec.json.decode(text)["services"]]
    assert "\x1b[31mred\x1b]0;title\x07" in names
    assert "\u202egnp.exe\u2066" in names
    assert "\N{REPLACEMENT CHARACTER}\x9b2J\r\nnext" in names


def test_evidence_is_the_line_of_the_bundle() -> None:
    finding = json.loads(render_json(one_broken()))["findings"][0]
    assert finding["evidence"][0] == {
        "file": "cluster/services.json",
        "line": 812,
        "text": '                    "run": "hostnames"',
        "note": "selector",
    }


@pytest.mark.parametrize(
    ("created", "written"),
    [
        (None, None),
        (
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))),
            "2026-01-02T02:04:05Z",
        ),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z"),  # noqa: DTZ001 - a manifest without zone
    ],
)
def test_times_are_utc(created: datetime | None, written: str | None) -> None:
    identity = BundleIdentity("b", "c", created, redacted=False, verified=True)
    document = json.loads(render_json(make.report(identity=identity)))
    assert document["bundle"]["createdAt"] == written


def test_several_services_of_one_finding_are_listed() -> None:
    found = make.Findings()
    services = frozenset(make.service("shop", name).key for name in ("web", "db"))
    found.add(make.rules_hook_missing, "two of one address", affects=services)
    (finding,) = json.loads(render_json(make.report(found)))["findings"]
    assert (finding["service"], finding["affects"]) == (None, ["shop/db", "shop/web"])


@pytest.mark.parametrize("case", CASES)
def test_the_same_report_gives_the_same_bytes(case: str) -> None:
    build: Callable[[], Report] = CASES[case]
    assert render_json(build()) == render_json(build())

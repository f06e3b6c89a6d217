from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from analyzer.difference.identity import identities
from analyzer.findings import Quote
from analyzer.model.forwarding import ServiceKey
from analyzer.report.sarif import render_sarif
from analyzer.report.visible import HIDDEN
from tests.report import factories as make
from tests.report.cases import CASES, node_without_hook, nothing_known, one_broken

OFFICIAL = Draft7Validator(
    json.loads(Path(__file__).with_name("sarif-schema-2.1.0.json").read_text("utf-8")),
    format_checker=Draft7Validator.FORMAT_CHECKER,
)


def run_of(text: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(text)["runs"][0]
    return run


@pytest.mark.parametrize("case", CASES)
def test_every_report_is_valid_against_the_official_schema(case: str) -> None:
    OFFICIAL.validate(json.loads(render_sarif(CASES[case]())))


def test_the_official_schema_refuses_what_is_wrong() -> None:
    document = json.loads(render_sarif(one_broken()))
    document["runs"][0]["results"][0]["level"] = "fatal"
    assert not OFFICIAL.is_valid(document)


@pytest.mark.parametrize("case", CASES)
def test_every_report_reads_as_it_did(case: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{case}.sarif", render_sarif(CASES[case]()))


def test_a_location_is_the_line_of_the_bundle_and_its_neighbours() -> None:
    place = run_of(render_sarif(one_broken()))["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "cluster/services.json", "uriBaseId": "BUNDLE"}
    assert place["region"]["startLine"] == 812
    assert place["region"]["snippet"]["text"].strip() == '"run": "hostnames"'
    context = place["contextRegion"]
    assert (context["startLine"], context["endLine"]) == (810, 814)
    assert len(context["snippet"]["text"].split("\n")) == 5


def test_a_rule_says_what_the_check_says() -> None:
    run = run_of(render_sarif(one_broken()))
    result = run["results"][0]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "selector-matches-no-pods"
    assert rule["help"]["text"] == make.selector_matches_no_pods.documentation
    assert rule["helpUri"] == make.selector_matches_no_pods.references[0]
    assert rule["defaultConfiguration"]["level"] == "error"


def test_severities_are_levels() -> None:
    found = make.Findings()
    for check in (make.selector_matches_no_pods, make.hairpin_disabled):
        found.add(check, "it is so")
    found.add(make.not_ready_addresses_published, "it is so")
    results = run_of(render_sarif(make.report(found)))["results"]
    levels = {result["ruleId"]: result["level"] for result in results}
    assert levels == {
        "selector-matches-no-pods": "error",
        "hairpin-disabled": "warning",
        "not-ready-addresses-published": "note",
    }


def test_causes_and_consequences_name_each_other() -> None:
    cause, consequence, *_ = run_of(render_sarif(node_without_hook()))["results"]
    told = [place["message"]["text"] for place in cause["relatedLocations"]]
    assert told[0] == "explains: shop/web-1 is not served on node-b"
    (back,) = consequence["relatedLocations"]
    assert back["message"]["text"].startswith("caused by: PREROUTING of node-b")
    assert back["physicalLocation"]["region"]["startLine"] == 31
    assert consequence["properties"]["causedBy"] == "f1"


def test_what_was_not_evaluated_is_a_notification_with_its_command() -> None:
    invocation = run_of(render_sarif(nothing_known()))["invocations"][0]
    (note,) = invocation["toolExecutionNotifications"]
    assert "nodes/node-a/iptables-save.txt is not in the bundle" in note["message"]["text"]
    assert "iptables-save -c" in note["message"]["text"]
    assert note["associatedRule"]["id"] == "rules-hook-missing"


def test_every_text_is_visible() -> None:
    def texts(value: Any) -> list[str]:
        match value:
            case str():
                return [value]
            case dict():
                return [t for item in value.values() for t in texts(item)]
            case list():
                return [t for item in value for t in texts(item)]
        return []

    document = json.loads(render_sarif(CASES["hostile"]()))
    assert [t for t in texts(document) if HIDDEN.search(t.replace("\n", ""))] == []


def test_a_message_holds_no_link_and_no_placeholder() -> None:
    found = make.Findings()
    found.add(make.hairpin_disabled, "[click](https://example.com) {0} {a} [x]")
    text = run_of(render_sarif(make.report(found)))["results"][0]["message"]["text"]
    assert text.startswith(r"\[click\](https://example.com) {{0}} {a} [x].")


def test_a_path_is_a_uri() -> None:
    found = make.Findings()
    quote = Quote("nodes/a b%/服\udce4.txt", 1, "x")
    found.add(make.hairpin_disabled, "it is so", (quote, ""))
    run = run_of(render_sarif(make.report(found)))
    assert [a["location"]["uri"] for a in run["artifacts"]] == [
        "nodes/a%20b%25/%E6%9C%8D%ED%B3%A4.txt"
    ]


# --- fingerprints ---


def fingerprints(text: str) -> list[str]:
    return [r["partialFingerprints"]["svcbundle/v1"] for r in run_of(text)["results"]]


def test_fingerprints_tell_findings_apart() -> None:
    found = fingerprints(render_sarif(node_without_hook()))
    assert len(set(found)) == len(found) == 6


def test_a_fingerprint_outlives_words_lines_and_renamed_pods() -> None:
    prints = []
    for pod, line in (("shop/web-849695f9c9-m2pbk", 3), ("shop/web-5d4f8c7b6d-x7k2p", 70)):
        found = make.Findings()
        found.add(
            make.hairpin_disabled,
            f"pod {pod} is concerned",
            (Quote("cluster/pods.json", line, "{"), ""),
            service=ServiceKey("shop", "web"),
            pod=pod,
        )
        prints += fingerprints(render_sarif(make.report(found)))
    assert prints == ["24caca5ac91d05cf1fd816bad2373842"] * 2


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"service": ServiceKey("shop", "web2")}, id="Service"),
        pytest.param({"node": "node-b"}, id="node"),
        pytest.param({"port": "http"}, id="port"),
        pytest.param({"pod": "shop/db-0"}, id="pod"),
        pytest.param(
            {"affects": frozenset({ServiceKey("a", "b")}), "service": None}, id="affected"
        ),
    ],
)
def test_another_subject_is_another_finding(other: dict[str, Any]) -> None:
    found = make.Findings()
    first = found.add(make.hairpin_disabled, "so", service=ServiceKey("shop", "web"))
    second = found.add(
        make.hairpin_disabled, "so", **{"service": ServiceKey("shop", "web"), **other}
    )
    ids = identities(found.found)
    assert ids[first] != ids[second]
    assert ids[second].number == 0


def test_findings_alike_are_counted() -> None:
    found = make.Findings()
    for _ in range(3):
        found.add(make.hairpin_disabled, "so")
    assert [i.number for i in identities(found.found).values()] == [0, 1, 2]


def test_few_consequences_are_listed_at_their_cause() -> None:
    found = make.Findings()
    root = found.add(make.rules_hook_missing, "no hook")
    for number in range(50):
        found.add(
            make.rules_service_missing, "so", service=ServiceKey("a", str(number)), caused_by=root
        )
    results = run_of(render_sarif(make.report(found)))["results"]
    assert len(results) == 51
    assert len(results[0]["relatedLocations"]) == 20


def test_the_cluster_is_a_category_of_its_own() -> None:
    report = one_broken()
    other = replace(report, identity=replace(report.identity, cluster="prod"))
    ids = [run_of(render_sarif(r))["automationDetails"]["id"] for r in (report, other)]
    assert ids == ["svcbundle/lab/", "svcbundle/prod/"]

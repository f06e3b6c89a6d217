"""The language is that of the option, else that of the locale, else English."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from analyzer.cli.language_option import language_of


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh-Hans"}, "zh"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
    ],
    ids=str,
)
def test_language_of_the_locale(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_a_report_in_chinese_has_the_slugs_and_keys_of_the_english_one(samples: Path) -> None:
    bundle = samples / "selector-no-match" / "bundle.tgz"
    english = json.loads(_analyze(bundle, "en"))
    chinese = json.loads(_analyze(bundle, "zh"))
    assert _shape(english) == _shape(chinese)
    assert english["findings"][0]["message"] != chinese["findings"][0]["message"]
    evidence = [f["evidence"][0]["text"] for f in english["findings"]]
    assert evidence == [f["evidence"][0]["text"] for f in chinese["findings"]]


def _analyze(bundle: Path, language: str) -> str:
    command = [sys.executable, "-m", "analyzer", "analyze", str(bundle), "--format", "json"]
    environment = {**os.environ, "LC_ALL": "zh_CN.UTF-8" if language == "zh" else "C"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not found.stderr
    return found.stdout


def _shape(report: dict[str, object]) -> object:
    findings = [(f["check"], f["id"], f["causedBy"]) for f in report["findings"]]  # type: ignore[attr-defined]
    return sorted(report), findings, report["summary"]

"""What the forms of a report say beside the checks' own words is said through gettext too."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from analyzer.bundle.limits import Limits
from analyzer.bundle.reader import open_bundle
from analyzer.diffing import diff_bundles
from analyzer.model.station import Station
from analyzer.pipeline import Question, analyse
from analyzer.report.diff_text import render_diff_text
from analyzer.report.junit import render_junit
from analyzer.report.ticket import render_ticket
from tests.bundles import files_of, sample
from tests.language.pseudo import speaking_pseudo

_WORD = re.compile(r"(?<![\w./:=<-])[A-Za-z][a-z]+(?![\w./:=>-])")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def _ticket() -> str:
    with open_bundle((sample("kube-proxy-stopped"),), Limits()) as bundle:
        text = render_ticket(analyse(bundle, Question(), lambda _: None).report)
    return _CODE.sub("", text)


def _junit() -> str:
    with open_bundle((sample("kube-proxy-stopped"),), Limits()) as bundle:
        text = render_junit(analyse(bundle, Question(), lambda _: None).report)
    return unescape(" ".join(re.findall(r'(?:message|name)="([^"]*)"', text)))


def _diff() -> str:
    with (
        open_bundle((sample("healthy"),), Limits()) as old,
        open_bundle((sample("kube-proxy-stopped"),), Limits()) as new,
    ):
        report = diff_bundles(old, new, Question(), lambda _: None).report
    return render_diff_text(report, width=400, color=False, verbose=True)


@pytest.mark.parametrize("form", [_ticket, _junit, _diff], ids=["markdown", "junit", "diff"])
def test_no_english_word_is_left(form: Callable[[], str]) -> None:
    with speaking_pseudo():
        text = form()
    content = b" ".join(files_of("healthy").values()) + b" ".join(
        files_of("kube-proxy-stopped").values()
    )
    known = set(re.findall(r"[A-Za-z]+", content.decode("utf-8", "replace")))
    names = {"svcbundle", "journalctl", "ss", *(station.value for station in Station)}
    assert set(_WORD.findall(text)) - known - names == set()

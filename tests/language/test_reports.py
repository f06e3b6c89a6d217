"""All that a reader is shown of the samples is said through gettext, and is in the catalogues.

Left in English is what the bundle says (names, quoted lines), what is typed, and the terms below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gettext import NullTranslations
from html.parser import HTMLParser

import pytest

from analyzer import language
from analyzer.bundle.reader import open_bundle
from analyzer.checks import catalogue
from analyzer.diffing import diff_bundles, diff_nodes
from analyzer.language import speaking
from analyzer.load import load
from analyzer.model.forwarding import ServiceKey
from analyzer.pipeline import Question, analyse
from analyzer.report.catalogue import render_checks, render_explanation
from analyzer.report.diff_html import render_diff_html
from analyzer.report.diff_text import render_diff_text
from analyzer.report.html import render_html
from analyzer.report.terminal import Terminal
from analyzer.report.text import render_text
from analyzer.report.ticket import render_ticket
from analyzer.showing import shown
from analyzer.tracing import Renderer, TraceQuery, run_trace
from tests.bundles import sample
from tests.language.catalogues import messages
from tests.language.pseudo import speaking_pseudo

SAMPLES = ("endpoint-chain-emptied", "forward-policy-drop", "kube-proxy-stopped")
_HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][;,:.!?()](?=[ \u4e00-\u9fff]|$)")
HOSTNAMES = ServiceKey("default", "hostnames")
_TYPED = re.compile(
    r"\b(?:kubectl|journalctl|sysctl|ip6?tables-save|ip|ss|grep|cat|nft|conntrack|svcbundle) .*|https?:\S+"
)
_QUOTED = re.compile(r"\S+\.(?:txt|json|log|yaml|conf):\d+.*|^[ >]*\d+  .*|^```.*")
"""A place, with the line there, in the terminal and in a ticket."""

_WORD = re.compile(r"(?<![\w./:=<-])[A-Za-z][a-z]+(?![\w./:=>-])")
_TERMS = {
    *("svcbundle", "lab", "kubelet", "iptables", "ipvs", "nftables", "userspace", "nft", "legacy"),
    *("filter", "nat", "accept", "drop", "return", "headless", "Kubernetes", "Local", "Cluster"),
    *("default", "shop", "hostnames", "orders", "cache", "payments", "web"),  # names
    *("dns", "http", "https", "metrics", "redis", "pg"),  # of ports
}


class _Asking(NullTranslations):
    """English, and which messages were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def gettext(self, message: str) -> str:
        self.asked.add(message)
        return message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self.asked.add(msgid1)
        return super().ngettext(msgid1, msgid2, n)


@contextmanager
def asking() -> Iterator[_Asking]:
    translations = _Asking()
    token = language._current.set(translations)
    try:
        yield translations
    finally:
        language._current.reset(token)


def reports(name: str) -> Iterator[str]:
    with open_bundle([sample(name)]) as bundle:
        report = analyse(bundle, Question(paths=True), lambda _message: None).report
        yield render_html(report)
        yield render_text(report, width=10_000, color=False)
        yield render_text(report, width=10_000, color=False, verbose=True)
        yield render_ticket(report)


def differences(name: str) -> Iterator[str]:
    with open_bundle([sample("healthy")]) as old, open_bundle([sample(name)]) as new:
        for of in (
            diff_bundles(old, new, Question(), lambda _message: None),
            diff_bundles(new, old, Question(), lambda _message: None),
            diff_nodes(new, ("node-a", "node-b"), Question(), lambda _message: None),
        ):
            yield render_diff_text(of.report, width=10_000, color=False, verbose=True)
            yield render_diff_html(of.report)


def trees_and_traces(name: str) -> Iterator[str]:
    with open_bundle([sample(name)]) as bundle:
        cluster = load(bundle)
        yield from shown(cluster, HOSTNAMES, None)
        renderer = Renderer(bundle, Terminal(10_000, color=False))
        for source in ("node:node-a", "node:node-b", "external:198.51.100.7"):
            for target in ("service:default/hostnames", "service:shop/orders", "192.0.2.1:80"):
                yield renderer.render(run_trace(cluster, TraceQuery(source, target, "")))


def pages_of_checks(_name: str) -> Iterator[str]:
    yield render_checks(catalogue(), width=10_000)
    for check in catalogue():
        yield render_explanation(check, width=10_000)


SAID = [
    *(
        pytest.param(said, name, id=f"{said.__name__}-{name}")
        for said in (reports, differences, trees_and_traces)
        for name in SAMPLES
    ),
    pytest.param(pages_of_checks, "", id="pages-of-checks"),
]


@pytest.mark.parametrize(("said", "name"), SAID)
def test_every_message_is_in_the_catalogues(
    said: Callable[[str], Iterator[str]], name: str
) -> None:
    known = {m.id if isinstance(m.id, str) else m.id[0] for m in messages() if m.id}
    with asking() as translations:
        assert list(said(name))
    assert translations.asked
    assert not sorted(translations.asked - known)


@pytest.mark.parametrize(("said", "name"), SAID)
def test_no_english_word_is_left(said: Callable[[str], Iterator[str]], name: str) -> None:
    with speaking_pseudo():
        texts = [line for text in said(name) for line in _lines(text)]
    left = {w: line for line in texts for w in _WORD.findall(_TYPED.sub("", _QUOTED.sub("", line)))}
    assert not {w: line for w, line in left.items() if w not in _TERMS}


class _Prose(HTMLParser):
    """What a page says outside of code, commands and script."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.lines += [text for name, text in attrs if text and name in {"aria-label", "title"}]
        if tag in {"code", "pre", "script", "style"}:
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._within and tag == self._within[-1]:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.lines.append(data)


def _lines(text: str) -> list[str]:
    if not text.startswith("<!doctype"):
        return text.split("\n")
    prose = _Prose()
    prose.feed(text)
    return prose.lines


@pytest.mark.parametrize(("said", "name"), SAID)
def test_marks_after_chinese_are_those_of_chinese(
    said: Callable[[str], Iterator[str]], name: str
) -> None:
    with speaking("zh"):
        texts = [_QUOTED.sub("", line) for text in said(name) for line in _lines(text)]
    assert not [line for line in texts if _HALF_WIDTH.search(line)]

"""Lists come page by page; what breaks off is kept, and said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from analyzer.collect.api import Api
from analyzer.collect.kubectl import Processes
from analyzer.collect.listing import Lister, is_whole, parts_of
from analyzer.collect.options import Options
from analyzer.collect.resources import FIRST, THEN, Listing
from analyzer.collect.spool import Spool
from tests.collect.fake_kubectl import Answer, FakeKubectl, fake_kubectl, page

PODS = next(listing for listing in FIRST if listing.resource == "pods")
SLICES = next(listing for listing in FIRST if listing.resource == "endpointslices")
INGRESSES = next(listing for listing in THEN if listing.resource == "ingresses")

ONE = "/api/v1/pods?limit=500"
TWO = "/api/v1/pods?limit=500&continue=t%2F2"
EXPIRED = Answer(error="Error from server (Expired): The provided continue parameter is too old")
FORBIDDEN = Answer(error='Error from server (Forbidden): pods is forbidden: User "x" cannot list')
REFUSED = Answer(
    error="The connection to the server h:1 was refused - did you specify the right host?"
)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "b.tgz.partial") as opened:
        yield opened


def listed(
    spool: Spool,
    listing: Listing,
    answers: dict[str, Sequence[Answer]],
    namespaces: tuple[str, ...] = (),
) -> FakeKubectl:
    kubectl = fake_kubectl(spool.directory.parent, answers)
    options = Options(kubectl=str(kubectl.path), namespaces=namespaces)
    Lister(Api(options, Processes()), spool, lambda _listing, _item: None).collect(listing)
    return kubectl


def names(spool: Spool, listing: Listing) -> list[str]:
    return [
        item["metadata"]["name"]
        for entry in parts_of(spool, listing)
        for item in json.loads(spool.path(entry.path).read_text())["items"]
    ]


def test_one_page_is_one_list_as_kubectl_prints_it(spool: Spool) -> None:
    listed(spool, PODS, {ONE: [page("Pod", "a")]})
    text = spool.path("cluster/pods.json").read_text()
    assert text.startswith('{\n    "apiVersion": "v1",\n    "items": [\n        {\n')
    assert json.loads(text)["kind"] == "List"
    assert json.loads(text)["items"][0]["kind"] == "Pod"
    assert not spool.entries["cluster/pods.json"].truncated


def test_pages_are_parts(spool: Spool) -> None:
    listed(spool, PODS, {ONE: [page("Pod", "a", following="t/2")], TWO: [page("Pod", "b")]})
    assert list(spool.entries) == ["cluster/pods.1.json", "cluster/pods.2.json"]
    assert not any(entry.truncated for entry in spool.entries.values())
    assert names(spool, PODS) == ["a", "b"]
    assert is_whole(spool, PODS)
    command = spool.entries["cluster/pods.2.json"].command
    assert command == ("kubectl", "get", "--raw", "/api/v1/pods?limit=500&continue=TOKEN")


def test_a_list_that_expires_is_begun_anew_and_that_is_said(spool: Spool) -> None:
    first = page("Pod", "a", following="t/2")
    kubectl = listed(spool, PODS, {ONE: [first, page("Pod", "c")], TWO: [EXPIRED]})
    assert kubectl.asked == [ONE, TWO, ONE]
    assert names(spool, PODS) == ["c"]
    assert not spool.missing
    assert spool.notes == ["pods: the list expired on its page 2 and was begun anew"]


def test_a_list_that_breaks_off_is_kept_and_marked(spool: Spool) -> None:
    listed(spool, PODS, {ONE: [page("Pod", "a", following="t/2")], TWO: [FORBIDDEN]})
    assert names(spool, PODS) == ["a"]
    assert spool.entries["cluster/pods.1.json"].truncated
    assert "forbidden" in spool.missing["cluster/pods.2.json"].reason
    assert not is_whole(spool, PODS)


def test_a_second_attempt_that_fails_leaves_what_was_there(spool: Spool) -> None:
    listed(spool, PODS, {ONE: [page("Pod", "a", following="t/2")], TWO: [FORBIDDEN]})
    listed(spool, PODS, {ONE: [page("Pod", "x", following="t/2")], TWO: [FORBIDDEN]})
    assert names(spool, PODS) == ["a"]
    listed(spool, PODS, {ONE: [page("Pod", "z")] * 9})
    assert names(spool, PODS) == ["z"]
    assert not spool.missing


def test_older_servers_have_older_versions(spool: Spool) -> None:
    old = "/apis/discovery.k8s.io/v1beta1/endpointslices?limit=500"
    listed(spool, SLICES, {old: [page("EndpointSlice", "s")]})
    assert names(spool, SLICES) == ["s"]


def test_a_resource_that_no_version_has_is_missing(spool: Spool) -> None:
    listed(spool, INGRESSES, {})
    missing = spool.missing["cluster/ingresses.json"]
    assert missing.reason == "the server does not know this resource"
    assert missing.command[-1] == "/apis/networking.k8s.io/v1/ingresses?limit=500"


def test_older_versions_that_may_not_be_asked_for_are_not_the_reason(spool: Spool) -> None:
    """A real API server refuses before it says that it does not know a path."""
    old = "/apis/extensions/v1beta1/ingresses?limit=500"
    listed(spool, INGRESSES, {old: [FORBIDDEN]})
    missing = spool.missing["cluster/ingresses.json"]
    assert missing.reason == "the server does not know this resource"
    assert missing.command[-1] == "/apis/networking.k8s.io/v1/ingresses?limit=500"


def test_refused_is_not_asked_again_and_lost_is(spool: Spool) -> None:
    assert listed(spool, PODS, {ONE: [FORBIDDEN]}).asked == [ONE]
    (spool.directory.parent / "asked").unlink()
    kubectl = listed(spool, PODS, {ONE: [REFUSED, page("Pod", "a")]})
    assert kubectl.asked == [ONE, ONE]
    assert names(spool, PODS) == ["a"]


def test_a_restricted_list_is_cut_and_whole(spool: Spool) -> None:
    answers = {
        "/api/v1/namespaces/shop/pods?limit=500": [page("Pod", "a")],
        "/api/v1/namespaces/kube-system/pods?limit=500": [page("Pod", "b")],
    }
    listed(spool, PODS, answers, ("shop",))
    assert names(spool, PODS) == ["a", "b"]
    assert all(entry.truncated for entry in spool.entries.values())
    assert is_whole(spool, PODS)


@pytest.mark.parametrize("answer", ['{"kind": "Status"}', "<html>", '{"kind":"PodList","items":[['])
def test_an_answer_that_is_no_list_is_missing(spool: Spool, answer: str) -> None:
    listed(spool, PODS, {ONE: [Answer(answer)]})
    assert spool.missing["cluster/pods.json"].reason == "the answer is no list of objects"


def test_an_answer_that_was_cut_and_did_not_say_so_is_asked_for_again(spool: Spool) -> None:
    cut = Answer('{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"na')
    kubectl = listed(spool, PODS, {ONE: [cut, page("Pod", "a")]})
    assert kubectl.asked == [ONE, ONE]
    assert names(spool, PODS) == ["a"]
    assert not spool.missing


def test_an_object_that_is_none_does_not_take_the_others_along(spool: Spool) -> None:
    text = '{"kind":"PodList","apiVersion":"v1","items":[7,{"metadata":{"name":"a"}}]}'
    listed(spool, PODS, {ONE: [Answer(text)]})
    assert names(spool, PODS) == ["a"]
    assert spool.notes

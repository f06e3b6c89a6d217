"""What the journal lists is whole, whatever ended the program; and becomes a bundle that can be gone on with."""

from __future__ import annotations

import json
import stat
import tarfile
from pathlib import Path

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.collect.archive import write_archive
from analyzer.collect.resume import bundle_of, resumed_spool, work_directory
from analyzer.collect.spool import Spool, Start, keep_content
from analyzer.errors import SvcbundleError, UsageError

START = Start("svcbundle-c-20261123T000000Z", "c", "2026-11-23T00:00:00Z")
PODS, NODES = "cluster/pods.json", "cluster/nodes.json"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "b.tgz"


def filled(output: Path) -> Spool:
    spool = Spool(work_directory(output))
    spool.begin(START)
    keep_content(spool, PODS, b'{"items": []}', command=("kubectl", "get"))
    spool.lack(NODES, "forbidden", ("kubectl", "get", "nodes"))
    spool.lack("nodes/a/ip-rule.txt", "no ip here", final=True)
    spool.reached("a", "kubectl-exec")
    spool.note("said")
    return spool


def state(spool: Spool) -> tuple[object, ...]:
    return spool.start, spool.entries, spool.missing, spool.nodes, spool.notes


def test_a_killed_collection_is_all_there(output: Path) -> None:
    left = filled(output)
    with Spool(work_directory(output)) as again:
        assert state(again) == state(left)


def test_what_is_unsaid_stays_unsaid(output: Path) -> None:
    left = filled(output)
    left.note("ended early: why")
    left.unsay("ended early")
    assert left.notes == ["said"]
    with Spool(work_directory(output)) as again:
        assert again.notes == ["said"]


def test_reasons_and_notes_hold_no_credentials(output: Path) -> None:
    spool = filled(output)
    spool.lack("nodes/a/ip-addr.txt", "exit status 1: --token=abc1 is wrong")
    spool.note("Get https://u:p@h/: EOF")
    assert spool.missing["nodes/a/ip-addr.txt"].reason.endswith(
        "--token=<removed 4 bytes> is wrong"
    )
    assert spool.notes[-1] == "Get https://<removed 3 bytes>@h/: EOF"
    journal = (spool.directory / "journal.jsonl").read_text()
    assert "abc1" not in journal
    assert "u:p@" not in journal


def test_a_line_cut_in_the_middle_and_a_file_cut_short_are_not_there(output: Path) -> None:
    spool = filled(output)
    spool.close()
    journal = spool.directory / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"entry":{"path":"cluster/ev')
    spool.path(PODS).write_bytes(b"{")
    with Spool(spool.directory) as again:
        assert again.entries == {}
        again.note("after")
    with Spool(spool.directory) as again:
        assert again.notes == ["said", "after"]


def test_the_archive_is_a_bundle_for_its_owner_only(output: Path) -> None:
    spool = filled(output)
    written = write_archive(spool, output)
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert written.bytes == output.stat().st_size
    with tarfile.open(output) as archive:
        assert archive.getnames() == [f"{START.root}/manifest.json", f"{START.root}/{PODS}"]
    with open_bundle([output]) as bundle:
        assert not bundle.problems
        assert not bundle.unverified
        assert bundle.manifest is not None
        assert bundle.manifest.missing[NODES].reason == "forbidden"
        assert bundle.manifest.nodes == {"a": "kubectl-exec"}


def test_a_bundle_is_gone_on_with(output: Path) -> None:
    spool = filled(output)
    write_archive(spool, output)
    spool.remove()
    assert not work_directory(output).exists()
    with resumed_spool(output, output) as again:
        assert again.entries.keys() == {PODS}
        assert again.missing[NODES].reason == "forbidden"
        assert again.missing["nodes/a/ip-rule.txt"].final
        assert again.path(PODS).read_bytes() == b'{"items": []}'


def test_a_file_that_was_altered_since_is_asked_for_again(output: Path, tmp_path: Path) -> None:
    spool = filled(output)
    write_archive(spool, output)
    spool.remove()
    with tarfile.open(output) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / START.root / PODS).write_text("{}")
    with tarfile.open(output, "w:gz") as archive:
        archive.add(tmp_path / START.root, START.root)
    with resumed_spool(output, output) as again:
        assert again.entries == {}


@pytest.mark.parametrize("text", ["", "{", '{"format": "svcbundle/v1"}'])
def test_a_bundle_without_a_manifest_cannot_be_gone_on_with(
    output: Path, tmp_path: Path, text: str
) -> None:
    root = tmp_path / "b"
    (root / "cluster").mkdir(parents=True)
    (root / PODS).write_text("{}")
    if text:
        (root / "manifest.json").write_text(text)
    with tarfile.open(output, "w:gz") as archive:
        archive.add(root, "b")
    with pytest.raises(UsageError, match="manifest"):
        resumed_spool(output, output)
    assert not work_directory(output).exists()


def test_both_names_of_a_collection_mean_the_same(output: Path) -> None:
    assert bundle_of(work_directory(output)) == bundle_of(output) == output


@pytest.mark.parametrize("path", ["../x", "/etc/x", "nodes/../../x", "nodes//x", "a\\b", "a\nb"])
def test_names_that_lead_elsewhere_are_refused(output: Path, path: str) -> None:
    with filled(output) as spool, pytest.raises(SvcbundleError):
        keep_content(spool, path, b"x")
    assert {p.name for p in output.parent.iterdir()} == {"b.tgz.partial"}


def test_what_came_is_not_missing_and_what_is_there_is_nothing_to_lack(output: Path) -> None:
    with filled(output) as spool:
        spool.lack(PODS, "too late")
        assert PODS not in spool.missing
        keep_content(spool, NODES, b"{}")
        assert NODES not in spool.missing


def test_the_journal_is_readable_by_people(output: Path) -> None:
    with filled(output) as spool:
        lines = (spool.directory / "journal.jsonl").read_text().splitlines()
    assert [next(iter(json.loads(line))) for line in lines] == [
        *("start", "entry", "missing", "missing", "node", "note"),
    ]

"""resolv.conf is read in one pod for each node and dnsPolicy, and where that is refused nobody insists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.collect.api import Api
from analyzer.collect.kubectl import Processes
from analyzer.collect.options import Options
from analyzer.collect.pod_files import PodFiles
from analyzer.collect.sightings import SeenPod
from analyzer.collect.spool import Spool

_PROGRAM = """\
#!/bin/sh
echo "$*" >>{place}/asked
case "$*" in
*=open*) echo nameserver 10.96.0.10 ;;
*=bare*) echo 'OCI runtime exec failed: exec: "cat": executable file not found in $PATH' >&2; exit 1 ;;
*=hook*) echo 'Error from server: admission webhook "exec.example.com" denied the request: no' >&2; exit 1 ;;
*) echo 'Error from server (Forbidden): pods "p" is forbidden: cannot create pods/exec' >&2; exit 1 ;;
esac
"""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "b.tgz.partial") as opened:
        yield opened


def asked(spool: Spool, *samples: tuple[str, ...]) -> list[str]:
    """Look into samples, each pod called by its namespace, and return the namespaces that were asked."""
    place = spool.directory.parent
    program = place / "kubectl"
    program.write_text(_PROGRAM.format(place=place))
    program.chmod(0o755)
    files = PodFiles(Api(Options(kubectl=str(program)), Processes()), spool)
    for number, sample in enumerate(samples):
        files.collect(tuple(SeenPod(name, f"p{number}", "n", "c", "i") for name in sample))
    lines = (place / "asked").read_text().splitlines()
    return [line.partition("--namespace=")[2].partition(" ")[0] for line in lines]


def test_a_namespace_that_refuses_is_asked_once(spool: Spool) -> None:
    assert asked(spool, ("a",), ("a",), ("open",), ("a", "open")) == ["a", "open", "open"]
    assert "another pod of the namespace" in spool.missing["pods/a/p1/resolv.conf"].reason
    assert "forbidden" in spool.missing["pods/a/p1/resolv.conf"].reason
    assert sorted(spool.entries) == ["pods/open/p2/resolv.conf", "pods/open/p3/resolv.conf"]


def test_where_three_namespaces_refuse_and_none_allows_no_other_is_asked(spool: Spool) -> None:
    assert asked(spool, ("a",), ("hook",), ("c",), ("d",), ("open",)) == ["a", "hook", "c"]
    reason = spool.missing["pods/open/p4/resolv.conf"].reason
    assert reason.startswith("not tried: exec was refused in 3 namespaces, and nowhere allowed")


def test_where_one_allows_all_namespaces_are_asked(spool: Spool) -> None:
    found = asked(spool, ("open",), ("a",), ("b",), ("c",), ("d",))
    assert found == ["open", "a", "b", "c", "d"]


def test_a_pod_without_cat_says_nothing_of_the_others(spool: Spool) -> None:
    found = asked(spool, *[("bare",)] * 5)
    assert found == ["bare"] * 5

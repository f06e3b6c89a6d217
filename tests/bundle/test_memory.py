"""Memory is bounded by the largest member, not by the archive; measured in a process of its own."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
from contextlib import ExitStack
from pathlib import Path

import pytest

_MEASURE = """
import resource, sys
from pathlib import Path
from analyzer.bundle.reader import open_bundle

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_bundle([Path(sys.argv[1])]) as bundle:
    total = sum(len(bundle.read(path)) for path in reversed(bundle.members))
print(total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def _measure(path: Path) -> tuple[int, int]:
    """Return the bytes of all members and the growth of the process's memory in KiB."""
    command = [sys.executable, "-c", _MEASURE, str(path)]
    result = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    total, growth = result.stdout.split()
    return int(total), int(growth)


@pytest.mark.parametrize("compressed", [True, False], ids=["gzip", "plain"])
def test_memory_does_not_grow_with_the_archive(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "b.tgz"
    member = tmp_path / "member"
    member.write_bytes(bytes(range(256)) * 8192)
    with ExitStack() as files:
        file = files.enter_context(path.open("wb"))
        if compressed:
            file = files.enter_context(gzip.open(file, "wb", compresslevel=0))
        archive = files.enter_context(tarfile.open(fileobj=file, mode="w|"))
        for number in range(64):
            archive.add(member, f"nodes/n{number}/kubelet.log")
    total, growth = _measure(path)
    assert total == 64 * 2 << 20
    assert growth < 48 << 10


def test_a_huge_pax_header_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "b.tgz"
    header = tarfile.TarInfo("PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 256 << 20
    good = tarfile.TarInfo("nodes/a/x")
    with gzip.open(path, "wb", compresslevel=0) as file:
        file.write(good.tobuf() + header.tobuf())
        for _ in range(256):
            file.write(bytes(1 << 20))
        file.write(good.tobuf() + bytes(1024))
    total, growth = _measure(path)
    assert total == 0
    assert growth < 24 << 10

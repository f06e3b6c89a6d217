"""Archives made for one test, member by member."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

Pack = Callable[..., Path]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Write an archive of members, each a (name, content) or a TarInfo for what is no file."""

    def build(
        *members: tuple[str, bytes] | tarfile.TarInfo,
        name: str = "b.tgz",
        mode: str = "w:gz",
        tar_format: int = tarfile.PAX_FORMAT,
    ) -> Path:
        path = tmp_path / name
        with tarfile.open(path, mode, format=tar_format) as archive:
            for member in members:
                if isinstance(member, tarfile.TarInfo):
                    archive.addfile(member, io.BytesIO(bytes(member.size)))
                else:
                    header = tarfile.TarInfo(member[0])
                    header.size = len(member[1])
                    archive.addfile(header, io.BytesIO(member[1]))
        return path

    return build


@pytest.fixture
def lay_out(tmp_path: Path) -> Pack:
    """Write the same members as plain files below a directory."""

    def build(*members: tuple[str, bytes], name: str = "directory") -> Path:
        root = tmp_path / name
        for path, content in members:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root

    return build

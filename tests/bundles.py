"""Bundles made from a sample for one test: its files changed, and packed or laid out again."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
ROOT = "svcbundle-test-20261123T000000Z"


def sample(name: str) -> Path:
    """Return the archive or directory of a sample."""
    return next((SAMPLES / name).glob("bundle*"))


def files_of(name: str) -> dict[str, bytes]:
    """Return the files of a sample archive by path from the bundle's root."""
    with tarfile.open(sample(name)) as archive:
        return {
            member.name.partition("/")[2]: content.read()
            for member in archive
            if (content := archive.extractfile(member)) is not None
        }


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files as a bundle archive."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(f"{ROOT}/{name}")
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


def laid_out(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files as a bundle directory."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path

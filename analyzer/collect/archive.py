"""The bundle from the work directory: manifest and archive, written beside the output and moved at the end."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

from analyzer import __version__
from analyzer.bundle.root import MANIFEST
from analyzer.collect.spool import Spool, sync

_LEVEL: Final = 6


@dataclass(frozen=True, slots=True)
class Written:
    """An archive that was written."""

    path: Path
    bytes: int
    sha256: str


def write_archive(spool: Spool, output: Path) -> Written:
    """Write all that came as one archive with mode 0600; the output is there whole or not at all. Raises SpoolError."""
    document = manifest(spool)
    spool.release_reserve()
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    with spool.guarded():
        try:
            return _written(spool, document, temporary, output)
        finally:
            temporary.unlink(missing_ok=True)


def write_manifest(spool: Spool) -> None:
    """Make the work directory itself a bundle, as far as the disk lets."""
    spool.release_reserve()
    with suppress(OSError):
        (spool.directory / MANIFEST).write_bytes(manifest(spool))


def manifest(spool: Spool) -> bytes:
    """Return manifest.json of what came."""
    start = spool.start
    assert start is not None, "a spool is begun before it is written"
    document: Mapping[str, object] = {
        "format": "svcbundle/v1",
        "tool": {"name": "svcbundle", "version": __version__},
        "cluster": start.cluster,
        "createdAt": start.created_at,
        "redacted": False,
        "nodes": {name: {"method": method} for name, method in sorted(spool.nodes.items())},
        **({"namespaces": start.namespaces} if start.namespaces else {}),
        "notes": spool.notes,
        "entries": [spool.entries[path] for path in sorted(spool.entries)],
        "missing": [spool.missing[path] for path in sorted(spool.missing)],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _written(spool: Spool, document: bytes, temporary: Path, output: Path) -> Written:
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        hashing = _Hashing(file)
        with (
            gzip.GzipFile("", "wb", _LEVEL, cast("BinaryIO", hashing), mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            _add_all(spool, document, tar)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(output)
    sync(output.parent)
    return Written(output, hashing.bytes, hashing.digest.hexdigest())


def _add_all(spool: Spool, document: bytes, tar: tarfile.TarFile) -> None:
    assert spool.start is not None, "a spool is begun before it is written"
    root = spool.start.root
    created = int(datetime.fromisoformat(spool.start.created_at).timestamp())
    _add(tar, f"{root}/{MANIFEST}", created, len(document), io.BytesIO(document))
    for path, entry in sorted(spool.entries.items()):
        with spool.path(path).open("rb") as content:
            _add(tar, f"{root}/{path}", created, entry.bytes, content)


def _add(tar: tarfile.TarFile, name: str, created: int, size: int, content: BinaryIO) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, created, 0o600
    tar.addfile(member, content)


class _Hashing(io.RawIOBase):
    """A file that counts and hashes what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        """Take more of the archive."""
        self._file.write(piece)
        self.digest.update(piece)
        self.bytes += len(piece)
        return len(piece)


def file_timestamp(moment: datetime) -> str:
    """Return a moment as the name of a bundle has it, without colons: Windows must be able to hold it."""
    return time.strftime("%Y%m%dT%H%M%SZ", moment.utctimetuple())

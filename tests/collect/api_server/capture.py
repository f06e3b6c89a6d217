"""The files of a bundle that the server plays: an archive or a directory."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True)
class Capture:
    """The files of one cluster by path from the bundle's root."""

    files: dict[str, bytes]

    def text(self, path: str) -> str | None:
        content = self.files.get(path)
        return None if content is None else content.decode(errors="replace")

    def node(self, node: str, name: str) -> bytes | None:
        return self.files.get(f"nodes/{node}/{name}")

    def lists(self, resource: str) -> list[msgspec.Raw] | None:
        """Return the objects of a resource as JSON, from all parts; None where there is no file."""
        parts = [
            content
            for path, content in sorted(self.files.items())
            if path == f"cluster/{resource}.json"
            or (path.startswith(f"cluster/{resource}.") and path.endswith(".json"))
        ]
        if not parts:
            return None
        return [item for part in parts for item in msgspec.json.decode(part, type=_List).items]


class _List(msgspec.Struct):
    items: list[msgspec.Raw] = []


def open_capture(path: Path) -> Capture:
    """Read a bundle, whole."""
    if path.is_file():
        return Capture(_of_archive(path))
    root = path if (path / "cluster").is_dir() else next(path.glob("*/cluster")).parent
    return Capture(
        {
            file.relative_to(root).as_posix(): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file()
        }
    )


def _of_archive(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: content.read()
            for member in archive
            if (content := archive.extractfile(member)) is not None
        }

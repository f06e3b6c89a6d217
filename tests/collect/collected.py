"""What a collected bundle holds, read without svcbundle's own reader."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any


class Collected:
    """A bundle archive, which has to be whole and in keeping with its manifest."""

    def __init__(self, path: Path) -> None:
        self.files: dict[str, bytes] = {}
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    self.files[member.name.partition("/")[2]] = content.read()
        self.manifest = self.json("manifest.json")
        self.missing: dict[str, str] = {
            entry["path"]: entry["reason"] for entry in self.manifest["missing"]
        }
        entries = {entry["path"]: entry for entry in self.manifest["entries"]}
        assert entries.keys() == self.files.keys() - {"manifest.json"}
        for name, entry in entries.items():
            assert entry["sha256"] == hashlib.sha256(self.files[name]).hexdigest()
            assert entry["bytes"] == len(self.files[name])

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    def items(self, resource: str) -> list[Any]:
        """Return the objects of a resource from all its parts."""
        return [
            item
            for name, content in self.files.items()
            if name.startswith(f"cluster/{resource}.") and name.endswith(".json")
            for item in json.loads(content)["items"]
        ]

    def names(self, resource: str) -> list[str]:
        return sorted(
            f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
            for item in self.items(resource)
        )

    def of_node(self, node: str) -> set[str]:
        """Return the names of the files of a node."""
        place = f"nodes/{node}/"
        return {name.removeprefix(place) for name in self.files if name.startswith(place)}

"""Two states of a cluster made from one sample, and what differs between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from analyzer.bundle.limits import Limits
from analyzer.bundle.reader import open_bundle
from analyzer.difference.report import DiffReport
from analyzer.diffing import diff_bundles, diff_nodes
from analyzer.pipeline import Question
from tests.bundles import files_of, laid_out

Files = dict[str, bytes]
Change = Callable[[Files], None]
Differ = Callable[..., DiffReport]


@pytest.fixture
def differ(tmp_path: Path) -> Iterator[Differ]:
    """`differ(change, old=change)`: how the healthy sample differs from itself after changes of its files."""
    with ExitStack() as stack:

        def run(new: Change, old: Change = lambda _: None) -> DiffReport:
            bundles = []
            for name, change in (("old", old), ("new", new)):
                files = files_of("healthy")
                files.pop("manifest.json")
                change(files)
                folder = laid_out(tmp_path / name, files)
                bundles.append(stack.enter_context(open_bundle((folder,), Limits())))
            return diff_bundles(bundles[0], bundles[1], Question(), lambda _: None).report

        yield run


@pytest.fixture
def nodes_differ(tmp_path: Path) -> Iterator[Differ]:
    """`nodes_differ(change, old, new)`: how two nodes of the healthy sample differ after a change."""
    with ExitStack() as stack:

        def run(change: Change, old: str, new: str) -> DiffReport:
            files = files_of("healthy")
            files.pop("manifest.json")
            change(files)
            folder = laid_out(tmp_path / "bundle", files)
            bundle = stack.enter_context(open_bundle((folder,), Limits()))
            return diff_nodes(bundle, (old, new), Question(), lambda _: None).report

        yield run


def objects(files: Files, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of a dump by namespace and name; `dump` puts them back."""
    items = json.loads(files[f"cluster/{name}.json"])["items"]
    return {(i["metadata"].get("namespace", ""), i["metadata"]["name"]): i for i in items}


def dump(files: Files, name: str, items: dict[tuple[str, str], dict[str, Any]]) -> None:
    document = json.loads(files[f"cluster/{name}.json"])
    document["items"] = list(items.values())
    files[f"cluster/{name}.json"] = json.dumps(document, indent=4).encode()


def everywhere(files: Files, old: str, new: str, *, without: str = "\0") -> None:
    """Replace a text in all files but those of one folder."""
    for path, content in files.items():
        if not path.startswith(without):
            files[path] = content.replace(old.encode(), new.encode())

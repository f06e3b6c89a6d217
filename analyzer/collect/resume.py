"""A collection that ended early, taken up again: from its work directory, or from the bundle it became."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from analyzer.bundle.reader import Bundle, open_bundle
from analyzer.bundle.root import MANIFEST
from analyzer.collect.spool import Entry, Missing, Spool, Start
from analyzer.errors import SvcbundleError, UsageError
from analyzer.language import _

PARTIAL: Final = ".partial"
_PIECE: Final = 1 << 20


class _Node(msgspec.Struct):
    method: str = ""


class _Manifest(msgspec.Struct, rename="camel"):
    created_at: str
    cluster: str = "cluster"
    nodes: dict[str, _Node] = {}
    namespaces: tuple[str, ...] = ()
    notes: list[str] = []
    entries: list[Entry] = []
    missing: list[Missing] = []


def work_directory(output: Path) -> Path:
    """Return where the files of a bundle wait until it is written."""
    return output.with_name(output.name + PARTIAL)


def bundle_of(resumed: Path) -> Path:
    """Return the bundle that is meant, by its own name or that of its work directory."""
    name = resumed.name
    return resumed.with_name(name.removesuffix(PARTIAL)) if name.endswith(PARTIAL) else resumed


def resumed_spool(resumed: Path, output: Path) -> Spool:
    """Return the spool of a collection that ended early. Raises UsageError where there is none.

    A work directory is gone on with in its place; a bundle is unpacked beside the output.
    """
    directory = work_directory(bundle_of(resumed))
    target = work_directory(output)
    if directory.is_dir():
        if directory != target:
            directory.rename(target)
        return Spool(target)
    if not resumed.is_file():
        raise UsageError(
            _("--resume {path}: neither a bundle nor the work directory of one", path=resumed)
        )
    with open_bundle([resumed]) as bundle:
        spool = Spool(target)
        try:
            _unpack(bundle, spool, resumed)
        except BaseException:
            spool.close()
            shutil.rmtree(target, ignore_errors=True)
            raise
    return spool


def _unpack(bundle: Bundle, spool: Spool, source: Path) -> None:
    try:
        manifest = msgspec.json.decode(bundle.read(MANIFEST), type=_Manifest)
    except (KeyError, msgspec.DecodeError) as error:
        raise UsageError(
            _(
                "--resume {path}: its manifest cannot be read, so what is missing is not known",
                path=source,
            )
        ) from error
    root = source.name.removesuffix(".tgz").removesuffix(".tar.gz")
    spool.begin(Start(root, manifest.cluster, manifest.created_at, manifest.namespaces))
    for entry in manifest.entries:
        # What was altered since, or has a name that is none, is asked for again.
        with suppress(KeyError, SvcbundleError):
            content = bundle.read(entry.path)
            if hashlib.sha256(content).hexdigest() == entry.sha256.lower():
                _keep(spool, entry, content)
    for missing in manifest.missing:
        spool.lack(missing.path, missing.reason, missing.command, final=missing.final)
    for node, how in manifest.nodes.items():
        spool.reached(node, how.method)
    for note in manifest.notes:
        spool.note(note)


def _keep(spool: Spool, entry: Entry, content: bytes) -> None:
    with spool.incoming() as incoming:
        for start in range(0, len(content), _PIECE):
            incoming.write(content[start : start + _PIECE])
        spool.keep(incoming, entry)

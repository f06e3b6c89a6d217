"""The work directory beside the output: each file as it comes, and a journal of what came and what did not.

Whatever ends the program, what the journal lists is whole: files are moved to their place before they are noted.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import msgspec

from analyzer.bundle.limits import Limits
from analyzer.bundle.member_name import objection, shown
from analyzer.collect.credentials import without_credentials
from analyzer.errors import SvcbundleError
from analyzer.language import _

JOURNAL: Final = "journal.jsonl"
_INCOMING: Final = "incoming"
_RESERVE: Final = "reserve"
_RESERVED_BYTES: Final = 1 << 20
"""Given back when the disk is full, so that the journal and the manifest can still be written."""


class SpoolError(SvcbundleError):
    """The work directory cannot be written: the disk is full, or read-only."""


class Entry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A file that came, as the manifest lists it."""

    path: str
    command: tuple[str, ...]
    bytes: int
    sha256: str
    truncated: bool
    started_at: str | None = None
    duration_ms: int | None = None
    exit_code: int | None = None
    stderr: str = ""


class Missing(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A file that was asked for and did not come, as the manifest lists it."""

    path: str
    reason: str
    command: tuple[str, ...] = ()
    final: bool = False
    """Asking once more would be of no use: the node has not what it takes."""


class Start(msgspec.Struct, frozen=True, rename="camel"):
    """What a collection began with."""

    root: str
    """Name of the bundle's top-level directory."""

    cluster: str
    created_at: str
    namespaces: tuple[str, ...] = ()
    """Where objects are restricted to some namespaces, these."""


class _Record(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One line of the journal."""

    start: Start | None = None
    entry: Entry | None = None
    missing: Missing | None = None
    dropped: str = ""
    node: str = ""
    method: str = ""
    note: str = ""
    unsaid: str = ""
    pod: str = ""
    """A pod that was created, `namespace/name`, to be deleted; noted before it is, and again with `gone`."""

    gone: bool = False
    list_begun: str = ""
    list_ended: str = ""


class Incoming:
    """A file that is being written."""

    def __init__(self, file: BinaryIO, spool: Spool) -> None:
        self._file = file
        self._spool = spool
        self._digest = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> int:
        """Take more of the content. Raises SpoolError where there is no room."""
        with self._spool.guarded():
            self._file.write(piece)
        self._digest.update(piece)
        self.bytes += len(piece)
        return len(piece)


class Spool:
    """The work directory of one collection; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.start: Start | None = None
        self.entries: dict[str, Entry] = {}
        self.missing: dict[str, Missing] = {}
        self.nodes: dict[str, str] = {}
        """How each node was reached."""

        self.notes: list[str] = []
        self.pods: set[str] = set()
        """Pods that were created and not deleted yet."""

        self.unfinished: set[str] = set()
        """Lists of which more is to come, by path without suffix."""

        self._lock = threading.RLock()
        self._numbers = itertools.count()
        self._reserved = False
        with self.guarded():
            directory.mkdir(mode=0o700, exist_ok=True)
            shutil.rmtree(directory / _INCOMING, ignore_errors=True)
            (directory / _INCOMING).mkdir()
            self._replay()
            self._journal = (directory / JOURNAL).open("ab")
            with (directory / _RESERVE).open("wb") as reserve:
                reserve.write(bytes(_RESERVED_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back open files; the directory stays."""
        self.release_reserve()
        with suppress(OSError):
            self._journal.close()
        shutil.rmtree(self.directory / _INCOMING, ignore_errors=True)

    def remove(self) -> None:
        """Delete the directory: all of it is in an archive."""
        self.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def begin(self, start: Start) -> None:
        """Note what the collection began with."""
        self.start = start
        self._note(_Record(start=start))

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Open a file to be written, and to be kept by `keep`; what is not kept is gone afterwards."""
        name = self.directory / _INCOMING / f"{next(self._numbers)}"
        with self.guarded():
            file = name.open("xb", buffering=1 << 16)
        held = Incoming(file, self)
        try:
            yield held
        finally:
            with suppress(OSError):
                file.close()
            name.unlink(missing_ok=True)

    def keep(self, incoming: Incoming, entry: Entry) -> None:
        """Put a written file in its place and note it; an older one of the path is replaced."""
        place = self._place(entry.path)
        with self._lock, self.guarded():
            incoming._file.close()  # noqa: SLF001 - the two are one
            place.parent.mkdir(parents=True, exist_ok=True)
            Path(incoming._file.name).replace(place)  # noqa: SLF001
            self.entries[entry.path] = entry
            self.missing.pop(entry.path, None)
            self._note(_Record(entry=entry))

    def amend(self, entry: Entry) -> None:
        """Change what is noted of a file that is there."""
        with self._lock:
            self.entries[entry.path] = entry
            self._note(_Record(entry=entry))

    def lack(
        self, path: str, reason: str, command: tuple[str, ...] = (), *, final: bool = False
    ) -> None:
        """Note that a file did not come; one that came before stays, and then nothing is noted."""
        with self._lock:
            if path not in self.entries:
                self.missing[path] = Missing(path, without_credentials(reason), command, final)
                self._note(_Record(missing=self.missing[path]))

    def forget(self, path: str) -> None:
        """Take back a file, or that it is missing."""
        with self._lock:
            came = self.entries.pop(path, None)
            absent = self.missing.pop(path, None)
            if came or absent:
                self._note(_Record(dropped=path))
            if came:
                self._place(path).unlink(missing_ok=True)

    def excuse(self, path: str) -> None:
        """Take back that a file is missing: there is nothing to be had."""
        with self._lock:
            if self.missing.pop(path, None):
                self._note(_Record(dropped=path))

    def reached(self, node: str, method: str) -> None:
        """Note how a node was reached."""
        with self._lock:
            self.nodes[node] = method
            self._note(_Record(node=node, method=method))

    def note(self, text: str) -> None:
        """Note what a reader of the bundle should know."""
        text = without_credentials(text)
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)
                self._note(_Record(note=text))

    def unsay(self, beginning: str) -> None:
        """Take back what was noted in words that begin so."""
        with self._lock:
            for text in [text for text in self.notes if text.startswith(beginning)]:
                self.notes.remove(text)
                self._note(_Record(unsaid=text))

    def list_begun(self, stem: str) -> None:
        """Note that the pages of a list begin to come."""
        with self._lock:
            self.unfinished.add(stem)
            self._note(_Record(list_begun=stem))

    def list_ended(self, stem: str) -> None:
        """Note that no more pages of a list come."""
        with self._lock:
            self.unfinished.discard(stem)
            self._note(_Record(list_ended=stem))

    def pod_created(self, pod: str) -> None:
        """Note that a pod is about to be there that has to be deleted."""
        with self._lock:
            self.pods.add(pod)
            self._note(_Record(pod=pod))

    def pod_deleted(self, pod: str) -> None:
        """Note that it is gone."""
        with self._lock:
            self.pods.discard(pod)
            self._note(_Record(pod=pod, gone=True))

    def path(self, path: str) -> Path:
        """Return where a file is that came."""
        return self._place(path)

    def release_reserve(self) -> None:
        """Give back the room that was kept for the end."""
        (self.directory / _RESERVE).unlink(missing_ok=True)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn an error of the disk into a SpoolError that says where and what."""
        try:
            yield
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
            what = _("no space left") if full else error.strerror
            raise SpoolError(f"{self.directory}: {what}") from error

    def _place(self, path: str) -> Path:
        if objection(path, Limits()) or any(p in {"", ".", ".."} for p in path.split("/")):
            raise SvcbundleError(_("{path}: no name for a file of a bundle", path=shown(path)))
        return self.directory / path

    def _note(self, record: _Record) -> None:
        with self._lock, self.guarded():
            self._journal.write(msgspec.json.encode(record) + b"\n")
            self._journal.flush()

    def _replay(self) -> None:
        """Read the journal of a collection that ended early; a line cut in the middle is its last."""
        journal = self.directory / JOURNAL
        if not journal.exists():
            return
        lines = journal.read_bytes().split(b"\n")
        for line in lines:
            with suppress(msgspec.DecodeError, msgspec.ValidationError):
                self._take(msgspec.json.decode(line, type=_Record))
        if lines[-1]:
            with journal.open("ab") as file:
                file.write(b"\n")
        self.entries = {p: e for p, e in self.entries.items() if self._is_whole(e)}

    def _take(self, record: _Record) -> None:
        if record.start:
            self.start = record.start
        if record.entry:
            self.entries[record.entry.path] = record.entry
            self.missing.pop(record.entry.path, None)
        if record.missing:
            self.missing[record.missing.path] = record.missing
        if record.dropped:
            self.entries.pop(record.dropped, None)
            self.missing.pop(record.dropped, None)
        if record.node:
            self.nodes[record.node] = record.method
        if record.note:
            self.notes.append(record.note)
        if record.unsaid in self.notes:
            self.notes.remove(record.unsaid)
        self.unfinished.add(record.list_begun)
        self.unfinished -= {record.list_ended, ""}
        if record.pod:
            (self.pods.discard if record.gone else self.pods.add)(record.pod)

    def _is_whole(self, entry: Entry) -> bool:
        with suppress(OSError, SvcbundleError):
            return self._place(entry.path).stat().st_size == entry.bytes
        return False


def timestamp(moment: datetime) -> str:
    """Return a moment as the manifest writes it: RFC 3339 in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def keep_content(spool: Spool, path: str, content: bytes, **known: Any) -> None:  # noqa: ANN401 - fields of Entry
    """Write a small file as a whole."""
    with spool.incoming() as incoming:
        incoming.write(content)
        entry = {"command": (), "truncated": False, **known}
        spool.keep(
            incoming, Entry(path=path, bytes=incoming.bytes, sha256=incoming.sha256, **entry)
        )


def sync(path: Path) -> None:
    """Have a file or a directory on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)

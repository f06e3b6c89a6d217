"""Reads what node.sh sends: all files of one node in one stream, in frames that no content can forge.

A line that begins with the stream's nonce belongs to the frames, and any other byte to the file at hand:

    svcbundle-node/v1 NONCE NODE
    NONCE file NAME START COMMAND...      content follows; START is milliseconds since 1970
    NONCE stderr STATUS DURATION CUT      what the command complained of follows; DURATION in milliseconds, CUT 0 or 1
    NONCE end
    NONCE absent|unavailable|failed NAME<TAB>COMMAND...<TAB>REASON
    NONCE done

A line feed goes before the `stderr` and `end` lines and belongs to neither side, so that content needs none at its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import BinaryIO, Final

from analyzer.bundle.limits import Limits
from analyzer.collect.frame_content import Complaint, Content
from analyzer.collect.frame_reader import FrameReader, StreamCutError
from analyzer.errors import BundleUnreadableError
from analyzer.language import _
from analyzer.model.inputs import Input, Scope

FORMAT: Final = "svcbundle-node/v1"

NODE_FILES: Final = frozenset(
    name
    for source in Input
    if source.value.scope is Scope.NODE
    for name in (source.value.name, *source.value.alternatives)
)
"""The names that a file of a stream may have."""

_FIRST_LINE = re.compile(
    rf"{FORMAT} (?P<nonce>[0-9a-f-]{{32,64}}) (?P<node>[A-Za-z0-9][\w.-]{{0,252}})"
)
_FILE = re.compile(r"file (?P<name>\S+) (?P<start>[0-9]{1,13}|-) (?P<command>.+)")
_RESULT = re.compile(r"stderr (?P<status>[0-9]{1,3}) (?P<duration>[0-9]{1,12}|-) (?P<cut>[01])")
_MISSING = re.compile(
    r"(?P<why>absent|unavailable|failed) (?P<name>[^\t]+)\t(?P<command>[^\t]*)\t(?P<reason>.*)"
)
_BEFORE = 1 << 16
"""Bytes that may come before the first line: a login's greeting."""

_FILE_BYTES = Limits().member_bytes
_PROBLEMS_KEPT = 10
_TIMED_OUT = 124
"""Exit status that node.sh reports for a command it ended at its time limit, as timeout(1) does."""


class Why(Enum):
    """Why a file of a node did not come."""

    ABSENT = "absent"
    """There is nothing to be had: the node has none of it, so that nothing is lost."""

    UNAVAILABLE = "unavailable"
    """What it takes is not there: a program, a permission, a kernel module that asking would load."""

    FAILED = "failed"
    """The command failed, was ended at its time limit, or the stream broke off: worth another try."""


@dataclass(frozen=True, slots=True)
class NodeFile:
    """One file that came; its content went where `keep` said."""

    name: str
    """One of `NODE_FILES`."""

    command: tuple[str, ...]
    started_at: str | None
    """RFC 3339, by the node's clock, true to about a second; None where the node could not tell."""

    duration_ms: int | None
    exit_code: int | None
    """124 where the command was ended at its time limit; None where the stream broke off in this file."""

    stderr: str
    truncated: bool
    """Something is not in it: cut on purpose, ended at a limit, or the stream broke off."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class NodeMissing:
    """One file that did not come; nothing was kept under its name."""

    name: str
    """One of `NODE_FILES`."""

    command: tuple[str, ...]
    reason: str
    why: Why


@dataclass(frozen=True, slots=True)
class NodeStream:
    """What came from one node."""

    node: str
    """The node's name as the script was told, or as its host calls itself."""

    files: tuple[NodeFile, ...]
    missing: tuple[NodeMissing, ...]
    complete: bool
    """True where the script came to its end."""

    problem: str
    """What was wrong with the stream; empty where nothing was."""


def read_node_stream(
    stream: BinaryIO,
    keep: Callable[[str], BinaryIO],
    *,
    nonce: str = "",
    file_bytes: int = _FILE_BYTES,
) -> NodeStream:
    """Return what a stream holds, each file's content written to what `keep` opens for its name.

    Raises BundleUnreadableError for a stream that is none, or not the one that carries `nonce` where that is given.
    Of a file larger than `file_bytes` the rest is left out. Memory is bounded whatever comes.
    """
    frames = FrameReader(stream)
    found_nonce, node = _first_line(frames, nonce)
    frames.begin(found_nonce.encode())
    reading = _Reading(frames, keep, file_bytes)
    complete = False
    try:
        while not complete:
            complete = reading.frame()
    except StreamCutError as cut:
        reading.note(_("the stream breaks off: {reason}", reason=cut))
    return NodeStream(
        node, tuple(reading.files), tuple(reading.missing), complete, "; ".join(reading.problems)
    )


def _first_line(frames: FrameReader, expected: str) -> tuple[str, str]:
    """Return nonce and node of the first line; what comes before it is passed over."""
    changed = False
    while frames.taken <= _BEFORE:
        try:
            line = frames.line()
        except StreamCutError:
            break
        match = _FIRST_LINE.fullmatch(line.decode(errors="replace"))
        if match is not None and expected in {"", match["nonce"]}:
            return match["nonce"], match["node"]
        changed = changed or FORMAT.encode() in line.replace(b"\0", b"")
    if changed:
        raise BundleUnreadableError(
            _(
                "the output of node.sh was changed on the way, its line ends or encoding: "
                "redirect it in sh or cmd, not in PowerShell"
            )
        )
    raise BundleUnreadableError(
        _("not the output of node.sh: no line `{format} ...` at its beginning", format=FORMAT)
    )


@dataclass(slots=True)
class _Reading:
    """What came so far."""

    _frames: FrameReader
    _keep: Callable[[str], BinaryIO]
    _file_bytes: int
    files: list[NodeFile] = field(default_factory=list)
    missing: list[NodeMissing] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def note(self, problem: str) -> None:
        """Keep what is wrong with the stream; of very many things the first."""
        if len(self.problems) < _PROBLEMS_KEPT and problem not in self.problems:
            self.problems.append(problem)

    def frame(self) -> bool:
        """Read one frame; return True for the one that ends the stream. Raises StreamCutError."""
        text = self._frames.marked_line()
        if text == "done":
            return True
        if text is None:
            self.note(_("output between the files was passed over"))
        elif match := _MISSING.fullmatch(text):
            if self._may_come(match["name"]):
                command = tuple(match["command"].split())
                why = Why(match["why"])
                self.missing.append(NodeMissing(match["name"], command, match["reason"], why))
        elif match := _FILE.fullmatch(text):
            self._file(match)
        else:
            self.note(_("a frame of unknown form was passed over"))
        return False

    def _may_come(self, name: str) -> bool:
        if name not in NODE_FILES:
            self.note(
                _("{name} was refused: no file of a node has this name", name=repr(name[:80]))
            )
        elif name in self._seen:
            self.note(_("{name} came twice: the second one was refused", name=name))
        else:
            self._seen.add(name)
            return True
        return False

    def _file(self, header: re.Match[str]) -> None:
        content = Content(header["name"], self._keep, self._file_bytes)
        content.wanted = self._may_come(content.name)
        command = tuple(header["command"].split())
        result: re.Match[str] | None = None
        stderr = Complaint()
        cut = ""
        with content:
            try:
                result = _RESULT.fullmatch(self._frames.content(content.write))
                self._frames.content(stderr.write)
            except StreamCutError as error:
                cut = str(error)
            if content.wanted and result is not None and result["status"] == "0":
                content.open()  # an empty file is an answer
        if content.wanted:
            self._add(content, command, header["start"], result, str(stderr))
        if cut:
            raise StreamCutError(cut)

    def _add(
        self,
        content: Content,
        command: tuple[str, ...],
        start: str,
        result: re.Match[str] | None,
        stderr: str,
    ) -> None:
        status = int(result["status"]) if result else None
        if not content.opened:
            reason = _failure(status, stderr)
            self.missing.append(NodeMissing(content.name, command, reason, Why.FAILED))
            return
        duration = int(result["duration"]) if result and result["duration"] != "-" else None
        self.files.append(
            NodeFile(
                content.name,
                command,
                None if start == "-" else _moment(int(start)),
                duration,
                status,
                stderr,
                status != 0 or content.overflowed or bool(result and result["cut"] == "1"),
                content.size,
                content.digest.hexdigest(),
            )
        )


def _failure(status: int | None, stderr: str) -> str:
    if status is None:
        return _("the stream breaks off in this file")
    if status == _TIMED_OUT:
        return _("ended at its time limit")
    said = next((line.strip() for line in stderr.splitlines() if line.strip()), "")
    return _("exit status {status}", status=status) + (f": {said[:200]}" if said else "")


def _moment(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

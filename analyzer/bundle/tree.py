"""The files of one input that were accepted, and why the others were not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analyzer.bundle.limits import (
    MAX_MEMBER_BYTES,
    MAX_MEMBERS,
    LimitExceededError,
    Limits,
    exceeded,
)
from analyzer.bundle.member import Content, Member, MemberType
from analyzer.bundle.member_name import normalised, objection, shown
from analyzer.bundle.problem import BundleProblem, ProblemKind
from analyzer.language import _


@dataclass(frozen=True, slots=True)
class Tree:
    """One input: names are normalised and relative to the input, or after `rooted` to the bundle's root."""

    source: str
    """The input as the user named it."""

    files: Mapping[str, Content]
    links: Mapping[str, str]
    """Symbolic links with their targets as written, not followed yet."""

    problems: tuple[BundleProblem, ...]
    complete: bool
    """False where reading ended before the input's end: any file may be missing for that reason."""


@dataclass(slots=True)
class Intake:
    """Decides on each member of an input in turn, by the same rules for archives and directories."""

    source: str
    limits: Limits
    files: dict[str, Content] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    problems: list[BundleProblem] = field(default_factory=list)
    members: int = 0
    complete: bool = True

    def admit(self, member: Member) -> str | None:
        """Return the normalised name of a file whose content is wanted; note a link, or a refusal.

        Raise LimitExceededError where there are too many members.
        """
        self.members += 1
        if self.members > self.limits.members:
            claim = _("it holds more than {members:,} members", members=self.limits.members)
            raise LimitExceededError(exceeded(claim, MAX_MEMBERS))
        if reason := objection(member.name, self.limits):
            self.refuse(member.name, reason)
            return None
        name = normalised(member.name)
        if reason := self._objection(member, name):
            self.refuse(name, reason)
        elif member.type is MemberType.SYMLINK:
            self.links[name] = member.target
        elif member.type is MemberType.FILE:
            return name
        return None

    def _objection(self, member: Member, name: str) -> str | None:
        if member.type is MemberType.DIRECTORY:
            return None
        if member.type is MemberType.HARD_LINK:
            return _("it is a hard link, to {shown}", shown=shown(member.target))
        if member.type not in {MemberType.FILE, MemberType.SYMLINK}:
            return _("it is {type}", type=member.type.value)
        if not name:
            return _("it has no name")
        if name in self.files or name in self.links:
            return _("it occurs a second time; the first one is used")
        if member.type is MemberType.FILE and member.size > self.limits.member_bytes:
            claim = _(
                "it is {size:,} bytes long, more than {member_bytes:,}",
                size=member.size,
                member_bytes=self.limits.member_bytes,
            )
            return exceeded(claim, MAX_MEMBER_BYTES)
        return None

    def refuse(self, name: str, reason: str) -> None:
        """Note that a member is not read because it is not safe."""
        self._note(ProblemKind.UNSAFE, name, _("refused: {reason}", reason=reason))

    def stop(self, name: str, reason: str) -> None:
        """Note that nothing is read from this member on; an empty name stands for the input as a whole."""
        self.complete = False
        self._note(
            ProblemKind.UNSAFE, name, _("refused, and all that follows: {reason}", reason=reason)
        )

    def break_off(self, reason: str) -> None:
        """Note that the rest of the input cannot be read."""
        self.complete = False
        self._note(ProblemKind.UNREADABLE, "", reason)

    def lose(self, name: str, reason: str) -> None:
        """Note that a member (or, without a name, something about the whole input) cannot be read."""
        self._note(ProblemKind.UNREADABLE, name, reason)

    def _note(self, kind: ProblemKind, name: str, message: str) -> None:
        self.problems.append(BundleProblem(kind, self.source, shown(name), message))

    def tree(self) -> Tree:
        """Return what was accepted."""
        return Tree(self.source, self.files, self.links, tuple(self.problems), self.complete)

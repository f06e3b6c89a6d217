"""Where in the bundle a fact stands."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from analyzer.language import _


class SourceRef(Struct, frozen=True, order=True):
    """One line of a bundle file."""

    path: str
    """Path from the bundle's root, with forward slashes."""

    line: int
    """Line number from 1, as editors count."""


class ObjectRef(Struct, frozen=True, order=True):
    """A field of one object in a `kubectl get -o json` dump; its line is looked up when it is shown."""

    path: str
    """Path of the dump from the bundle's root."""

    index: int
    """Position of the object in the dump's `items`, from 0; -1 for the document itself."""

    field: tuple[str | int, ...] = ()
    """Keys and list positions from the object down to the field; the longest prefix that exists is shown."""

    def at(self, *field: str | int) -> ObjectRef:
        """Return the reference to a field below this one."""
        return ObjectRef(self.path, self.index, (*self.field, *field))


Ref = SourceRef | ObjectRef

NOWHERE = ObjectRef("", -1)
"""The reference of an object that was not read from a bundle."""


def split_lines(text: str) -> list[str]:
    """Return the lines that `SourceRef.line` counts, as editors do: ended by LF, CR LF or CR alone."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


@dataclass(frozen=True, slots=True)
class ParseProblem:
    """A place in a bundle file that could not be read as what the file should hold; the rest was read."""

    path: str
    line: int
    """Line number from 1."""

    column: int
    """Column from 1, or 0 where the whole line (or the whole file) is meant."""

    message: str
    """What is wrong, in the user's words."""

    expected: str
    """What was expected there, in the user's words; empty where nothing better than `message` is known."""

    text: str
    """The line (or its beginning), or the path inside a document such as `$.items[3].spec.ports`."""

    truncation: bool = False
    """True where the file ends early: whatever is absent from it may have been cut off."""

    lost_from: str | None = None
    """Namespace of the object that is left out because of it, empty where none is known; None where none is."""

    def __str__(self) -> str:
        """`file:line:column: message`, with the path inside a document where it is about such."""
        place = f"{self.path}:{self.line}" + (f":{self.column}" if self.column else "")
        within = [_("at {path}", path=self.text)] if self.text.startswith(("$.", "$[")) else []
        wanted = [_("expected {expected}", expected=self.expected)] if self.expected else []
        details = f" ({', '.join((*within, *wanted))})" if within or wanted else ""
        return f"{place}: {self.message}{details}"

"""Names of members: which are refused, how the others are written, and how a hostile one is shown."""

from __future__ import annotations

import re

from analyzer.bundle.limits import MAX_PATH_LENGTH, Limits, exceeded
from analyzer.language import _

_SHOWN = 1024
_DRIVE = re.compile(r"[A-Za-z]:")


def objection(name: str, limits: Limits) -> str | None:
    """Return why a name is refused, or None; `name` is as the archive has it, surrogates for invalid UTF-8."""
    if len(name) > limits.path_length:
        claim = _(
            "its name is {count:,} characters long, more than {path_length:,}",
            count=len(name),
            path_length=limits.path_length,
        )
        return exceeded(claim, MAX_PATH_LENGTH)
    if not name.isprintable():
        return _("its name holds unprintable characters or bytes that are not UTF-8")
    if "\\" in name:
        return _("its name holds a backslash")
    if name.startswith("/"):
        return _("its name is absolute")
    if _DRIVE.match(name):
        return _("its name begins with a drive letter")
    if ".." in name.split("/"):
        return _("its name leads out of the bundle")
    return None


def normalised(name: str) -> str:
    """Return a name without `.` components and doubled or final slashes; empty for the root itself."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def shown(name: str) -> str:
    """Return a name that is safe to print: escaped as in a Python string, cut after 1,024 characters."""
    escaped = "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in name[:_SHOWN]
    )
    return escaped + ("…" if len(name) > _SHOWN else "")

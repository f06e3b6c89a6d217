"""What `svcbundle validate` prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from analyzer.language import _
from analyzer.model.validation import Gap, Validation
from analyzer.report.visible import visible

_SHOWN_CHECKS = 6


def render_validation(validation: Validation, *, width: int) -> str:
    """Return the text: well-formedness first, then each missing file with the command that gives it."""
    return "\n".join(_lines(validation, width)) + "\n"


def _lines(validation: Validation, width: int) -> Iterator[str]:
    identity = validation.identity
    state = (
        _("well formed")
        if not validation.problems
        else _("{count} problems", count=len(validation.problems))
    )
    yield visible(
        _("{path}: {state}, {files} files", path=identity.path, state=state, files=validation.files)
    )
    checked = (
        _("checked against the manifest")
        if identity.verified
        else _("not verified, there is no manifest to check against")
    )
    yield _("{what}: {told}", what=_("integrity"), told=checked)
    for problem in validation.problems:
        yield from _wrapped(f"  ! {problem.message}", width, 4)
    if validation.ignored:
        names = _(", ").join(validation.ignored[:5])
        yield from _wrapped(_("not read, unknown to this version: {names}", names=names), width, 2)
    if validation.gaps:
        yield ""
        yield _("Would not be evaluated for want of a file:")
        for gap in validation.gaps:
            yield from _gap(gap, width)


def _gap(gap: Gap, width: int) -> Iterator[str]:
    yield from _wrapped(f"  {gap.reason}", width, 4)
    more = len(gap.checks) - _SHOWN_CHECKS
    named = _(", ").join(gap.checks[:_SHOWN_CHECKS]) + (
        _(" and {more} more", more=more) if more > 0 else ""
    )
    yield from _wrapped(_("    for {named}", named=named), width, 8)
    yield visible(f"    $ {gap.command}")


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(
        visible(text),
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )

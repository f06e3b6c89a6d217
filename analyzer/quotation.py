"""The bundle lines that evidence points at, read again from the bundle: what is shown is what is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from analyzer.bundle.reader import Bundle
from analyzer.findings import Quote
from analyzer.language import _
from analyzer.model.source import ObjectRef, Ref, SourceRef
from analyzer.parse.locate import Locator
from analyzer.text_lines import TextLines

_CONTEXT = 2
_LONGEST = 400


def quote(bundle: Bundle, refs: Iterable[Ref]) -> dict[Ref, Quote]:
    """Return the line behind each reference; each file is read once.

    A reference to a file that is not in the bundle gives an empty line that says so.
    """
    by_path: dict[str, list[Ref]] = defaultdict(list)
    for ref in dict.fromkeys(refs):
        by_path[ref.path].append(ref)
    quotes: dict[Ref, Quote] = {}
    for path, wanted in sorted(by_path.items()):
        if path not in bundle.members:
            quotes.update({ref: Quote(path, 1, _("(not in the bundle)")) for ref in wanted})
            continue
        content = bundle.read(path)
        locator, lines = Locator(path, content), TextLines(path, content)
        quotes.update({ref: _quote(locator, lines, ref) for ref in wanted})
    return quotes


def _quote(locator: Locator, lines: TextLines, ref: Ref) -> Quote:
    match ref:
        case ObjectRef():
            found = locator.locate(ref)
            return _with_context(ref.path, lines, found.line, found.text)
        case SourceRef(line=line):
            absent = (
                _("(the file ends before this line)") if len(lines) else _("(the file is empty)")
            )
            text = next(iter(lines.between(line, line)), absent)
            return _with_context(ref.path, lines, line, _cut(text))


def _with_context(path: str, lines: TextLines, line: int, text: str) -> Quote:
    before = lines.between(line - _CONTEXT, line - 1)
    after = lines.between(line + 1, line + _CONTEXT)
    return Quote(path, line, text, tuple(map(_cut, before)), tuple(map(_cut, after)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

"""What came and what did not, on one screen."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from analyzer.collect.archive import Written
from analyzer.collect.collection import Collection
from analyzer.collect.spool import Spool
from analyzer.language import _, plural

_REASONS: Final = 8
_NOTES: Final = 6
_MIB: Final = 1 << 20
_KIB: Final = 1 << 10
_LONGEST_REASON: Final = 160


def summary(spool: Spool, collection: Collection | None, written: Written) -> str:
    """Return the text that a person reads at the end."""
    return "\n".join(_lines(spool, collection, written)) + "\n"


def size(count: int) -> str:
    """Return a number of bytes for people."""
    if count < _MIB:
        return f"{max(1, count // _KIB)} KiB"
    return f"{count / _MIB:.1f} MiB"


def _lines(spool: Spool, collection: Collection | None, written: Written) -> Iterator[str]:
    yield _("What came:")
    yield from _came(spool, collection)
    if spool.missing:
        yield ""
        yield _("What did not come, and why:")
        yield from _missing(spool)
    if spool.notes:
        yield ""
        yield from _limited([f"  {note}" for note in spool.notes], _NOTES)
    yield ""
    yield _("Send this file: {path} ({size})", path=written.path, size=size(written.bytes))
    yield f"  sha256 {written.sha256}"
    yield _("  to read it:    {command}", command=_command("analyze", written))
    if spool.missing:
        again = _command("collect --resume", written)
        yield _("  to ask again for what is missing:    {command}", command=again)


def _command(words: str, written: Written) -> str:
    return f"svcbundle {words} {shlex.quote(str(written.path))}"


def _came(spool: Spool, collection: Collection | None) -> Iterator[str]:
    objects = sum(1 for path in spool.entries if path.startswith("cluster/"))
    if objects:
        counts = collection.seen.counts if collection else {}
        named = ", ".join(
            f"{counts[name]:,} {name}" for name in ("nodes", "services", "pods") if name in counts
        )
        yield "  cluster/  " + plural("{count} file", "{count:,} files", objects) + _of(named)
    nodes = Counter(path.split("/")[1] for path in spool.entries if path.startswith("nodes/"))
    if nodes:
        files = plural("{count} file", "{count:,} files", sum(nodes.values()))
        methods = Counter(spool.nodes[name] for name in nodes if name in spool.nodes)
        named = ", ".join(f"{count} by {how}" for how, count in sorted(methods.items()))
        here = plural("{count} node", "{count:,} nodes", len(nodes))
        yield f"  nodes/    {files}, {here}" + _of(named)
    pods = sum(1 for path in spool.entries if path.startswith("pods/"))
    if pods:
        yield "  pods/     " + plural("{count} resolv.conf", "{count:,} resolv.conf", pods)


def _of(named: str) -> str:
    return f" ({named})" if named else ""


def _missing(spool: Spool) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for missing in spool.missing.values():
        by_reason.setdefault(missing.reason, []).append(missing.path)
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    for reason, paths in ordered[:_REASONS]:
        more = plural(" and {count} more", " and {count:,} more", len(paths) - 1)
        yield f"  {min(paths)}{more if len(paths) > 1 else ''}"
        yield f"      {reason[:_LONGEST_REASON]}"
    rest = sum(len(paths) for _reason, paths in ordered[_REASONS:])
    if rest:
        yield "  " + plural(
            "and {count} file for other reasons: see manifest.json",
            "and {count:,} files for other reasons: see manifest.json",
            rest,
        )


def _limited(lines: Iterable[str], most: int) -> Iterator[str]:
    every = list(lines)
    yield from every[:most]
    if len(every) > most:
        yield "  " + plural(
            "and {count} more note: see manifest.json",
            "and {count:,} more notes: see manifest.json",
            len(every) - most,
        )

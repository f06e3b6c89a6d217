"""Why kube-proxy failed: the words of iptables, nft or the kernel within an entry of its log."""

from __future__ import annotations

import re

from analyzer.model.log import LogEntry
from analyzer.model.source import SourceRef
from analyzer.phrases import shortened

_INNER = tuple(
    re.compile(pattern)
    for pattern in (
        (
            r"Couldn't load (?:target|match) [`'\"][^\n]*|Chain '[^']*' does not exist"
            r"|[Ll]ine:? \d+[^\n]*failed[^\n]*|can't initialize ip6?tables table [^\n]*"
            r"|can't use the IPVS proxier[^\n]*|(?:iptables is )?not supported for primary IP family[^\n]*"
            r"|Another app is currently holding the xtables lock|can't open lock file [^\n]*"
        ),
        r"Error: [^\n]*",
        r"exit status \d+[^\n]*",
    )
)
"""What tells most comes first: an exit status stands before the words that explain it."""

_KEY = re.compile(r"\"? (?:rules|table|chain|ipFamily|logger|retryingTime)=")


def reason_in(text: str) -> str:
    """Return what iptables, nft or the kernel said within a log entry, on one line."""
    found = _found(text)
    told = found[0] if found else text.split("err=", 1)[-1].strip()
    line = _KEY.split(told.splitlines()[0] if told else "")[0]
    return shortened(line)


def place_of_reason(entry: LogEntry) -> SourceRef:
    """Return the line of an entry on which those words stand; its first one where that cannot be told.

    klog prints a value of several lines as `key=<`, its lines, and ` >` (or ` > key=<`) below.
    """
    found = _found(entry.message)
    if found is not None:
        return _below(entry, entry.message.count("\n", 0, found.start()))
    above = 0
    for value in entry.values.values():
        if "\n" not in value:
            continue
        found = _found(value)
        if found is not None:
            return _below(entry, above + 1 + value.count("\n", 0, found.start()))
        above += value.count("\n") + 2
    return entry.source


def _found(text: str) -> re.Match[str] | None:
    return next((m for pattern in _INNER if (m := pattern.search(text))), None)


def _below(entry: LogEntry, lines: int) -> SourceRef:
    return SourceRef(entry.source.path, entry.source.line + min(lines, entry.lines - 1))

"""Why kube-proxy failed: the words of iptables, nft or the kernel within an entry of its log."""

from __future__ import annotations

import re

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
    found = next((m for pattern in _INNER if (m := pattern.search(text))), None)
    told = found[0] if found else text.split("err=", 1)[-1].strip()
    line = _KEY.split(told.splitlines()[0] if told else "")[0]
    return shortened(line)

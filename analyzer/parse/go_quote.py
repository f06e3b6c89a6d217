"""Go's quoted strings (`%q`, strconv.Quote), as klog prints values."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_FIRST_NO_ASCII = 0x80
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unquote(quoted: str) -> str:
    r"""Return what stands between the quotes, escapes resolved; the closing quote may be cut off.

    `\xff` stands for a byte that is no UTF-8 and becomes U+FFFD, as Go would print it.
    """
    inner = quoted[1:-1] if len(quoted) > 1 and quoted.endswith('"') else quoted[1:]
    return _ESCAPE.sub(_resolve, inner) if "\\" in inner else inner


def _resolve(escape: re.Match[str]) -> str:
    byte, short, long, octal, named = escape.groups()
    if named is not None:
        return _NAMED.get(named, named)
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    if (byte or octal) and code >= _FIRST_NO_ASCII:
        return "\ufffd"
    try:
        return chr(code).encode().decode()
    except (ValueError, OverflowError):
        return "\ufffd"

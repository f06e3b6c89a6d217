"""A language in which every translated letter is another one: what can still be read was not said through gettext."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from contextlib import contextmanager
from gettext import NullTranslations

from analyzer import language

_OTHER = str.maketrans(
    string.ascii_letters,
    "".join(map(chr, (*range(0x1D4EA, 0x1D504), *range(0x1D4D0, 0x1D4EA)))),
)
_PIECE = re.compile(r"(?P<placeholder>\{[^{}]*\})|[^{}]+")


class _Pseudo(NullTranslations):
    def gettext(self, message: str) -> str:
        return _PIECE.sub(lambda m: m["placeholder"] or m[0].translate(_OTHER), message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


@contextmanager
def speaking_pseudo() -> Iterator[None]:
    """Say all messages in that language inside of this block."""
    token = language._current.set(_Pseudo())
    try:
        yield
    finally:
        language._current.reset(token)

"""Which addresses rules of nft name, in their own constants and in the sets and maps that they ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analyzer.simulate.naming import Naming, named_in, united
from analyzer.simulate.nft.condition import Elements

_COMPUTING = frozenset({"&", "|", "^", "<<", ">>", "mangle"})


class Names:
    """What the rules of one table name."""

    def __init__(self, elements: Elements) -> None:
        self._elements = elements
        self._of_set: dict[str, Naming] = {}

    def named_by(self, statements: Any) -> Naming:  # noqa: ANN401 - JSON
        """Return the addresses that statements name."""
        texts = list(texts_in(statements))
        sets = (t[1:] for t in texts if t.startswith("@") and t[1:] in self._elements)
        found = united([named_in(texts), *map(self._named_by_set, sets)])
        return found._replace(computes=_computes(statements, inside=False))

    def _named_by_set(self, name: str) -> Naming:
        if name not in self._of_set:
            self._of_set[name] = named_in(texts_in(self._elements[name]))
        return self._of_set[name]


def texts_in(item: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield all strings and numbers; a prefix or range as one, as iptables would print it."""
    match item:
        case str() | int():
            yield str(item)
        case {"prefix": {"addr": str(address), "len": int(length)}}:
            yield f"{address}/{length}"
        case {"range": [first, last]}:
            yield f"{first}-{last}" if isinstance(first, str) else f"{first}:{last}"
        case dict():
            for value in item.values():
                yield from texts_in(value)
        case list():
            for value in item:
                yield from texts_in(value)


def _computes(item: Any, *, inside: bool) -> bool:  # noqa: ANN401 - JSON
    """Tell whether something is computed from an address."""
    match item:
        case {"payload": {"field": "saddr" | "daddr"}}:
            return inside
        case {"ct": {"key": str(key)}}:
            return inside and key.endswith("addr")
        case dict():
            return any(_computes(v, inside=inside or k in _COMPUTING) for k, v in item.items())
        case list():
            return any(_computes(value, inside=inside) for value in item)
        case _:
            return False

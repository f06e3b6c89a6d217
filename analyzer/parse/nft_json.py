"""Output of `nft -j list ruleset`, without the rules and chains that iptables-save shows.

iptables-nft keeps its rules in tables of its own. On a node of a large cluster they are tens of megabytes here that
nobody asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypedDict

import msgspec
from msgspec import Raw, Struct

from analyzer.model.node import Document
from analyzer.model.ruleset import IPTABLES_TABLES
from analyzer.parse.document import decode_document
from analyzer.parse.json_file import DEPTH_LIMIT
from analyzer.parse.json_scan import is_deeper_than
from analyzer.parse.parsed import Parsed


class _Listing(TypedDict, total=False):
    nftables: list[Raw]
    kind: Any
    status: Any
    message: Any


class _Part(Struct, gc=False):
    """A rule or chain."""

    family: str
    table: str
    hook: str | None = None
    """Only base chains have one."""


class _Item(Struct, gc=False):
    rule: _Part | None = None
    chain: _Part | None = None


_ITEM = msgspec.json.Decoder(_Item)
_ITEMS = msgspec.json.Decoder(list[_Item])
_AT_ONCE = 128
"""Items that are skimmed at a time, so that what is made of them takes no room."""


def decode_nft_ruleset(path: str, data: bytes) -> Parsed[Document | None]:
    """Return the list in a file; None stands in the place of what iptables-save shows. Never raises.

    Of the chains of iptables the base chains stay, and one of each table: that a table has chains is told.
    """
    parsed = decode_document(path, data, fields=_Listing)
    if parsed.value is None or not isinstance(parsed.value.content, dict):
        return parsed
    items = parsed.value.content.get("nftables")
    if not isinstance(items, list):
        return parsed
    try:
        kept = list(_kept(items))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # What is skipped at first is not checked.
        return decode_document(path, data)
    content = {**parsed.value.content, "nftables": kept}
    return replace(parsed, value=replace(parsed.value, content=content))


def _skimmed(items: list[Any]) -> Iterator[_Item]:
    """Yield of each item which rule it is: of many at one go where nothing is out of the ordinary."""
    for start in range(0, len(items), _AT_ONCE):
        several = items[start : start + _AT_ONCE]
        try:
            yield from _ITEMS.decode(b"[%b]" % b",".join(several))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
            yield from map(_skim, several)


def _skim(item: Any) -> _Item:  # noqa: ANN401 - any JSON
    try:
        return _ITEM.decode(item) if isinstance(item, Raw) else _Item()
    except (msgspec.ValidationError, RecursionError):
        return _Item()


def _kept(items: list[Any]) -> Iterator[Any]:
    with_chains: set[tuple[str, str]] = set()
    for item, found in zip(items, _skimmed(items), strict=True):
        if (rule := found.rule) and (rule.family, rule.table) in IPTABLES_TABLES:
            yield None
            continue
        if chain := found.chain:
            table = (chain.family, chain.table)
            if chain.hook is None and table in with_chains and table in IPTABLES_TABLES:
                yield None
                continue
            with_chains.add(table)
        yield _decoded(item) if isinstance(item, Raw) else item


def _decoded(item: Raw) -> Any:  # noqa: ANN401 - any JSON
    if is_deeper_than(DEPTH_LIMIT, bytes(item)):
        raise RecursionError
    return msgspec.json.decode(item)

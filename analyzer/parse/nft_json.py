"""Output of `nft -j list ruleset`, without the rules that iptables-save shows.

iptables-nft keeps its rules in tables of its own. On a node of a large cluster they are tens of megabytes here that
nobody asks for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypedDict

import msgspec
from msgspec import Raw, Struct

from analyzer.model.node import Document
from analyzer.model.ruleset import IPTABLES_TABLES
from analyzer.parse.document import decode_document
from analyzer.parse.parsed import Parsed


class _Listing(TypedDict, total=False):
    nftables: list[Raw]
    kind: Any
    status: Any
    message: Any


class _Rule(Struct, gc=False):
    family: str
    table: str


class _Item(Struct, gc=False):
    rule: _Rule | None = None


class _Skimmed(Struct):
    nftables: list[_Item]


_ITEM = msgspec.json.Decoder(_Item)
_SKIMMED = msgspec.json.Decoder(_Skimmed)


def decode_nft_ruleset(path: str, data: bytes) -> Parsed[Document | None]:
    """Return the list in a file; None stands in the place of each rule that iptables-save shows. Never raises."""
    parsed = decode_document(path, data, fields=_Listing)
    if parsed.value is None or not isinstance(parsed.value.content, dict):
        return parsed
    items = parsed.value.content.get("nftables")
    if not isinstance(items, list):
        return parsed
    try:
        skimmed = _skimmed(data, items)
        kept = [_kept(item, found) for item, found in zip(items, skimmed, strict=True)]
    except (msgspec.DecodeError, UnicodeDecodeError):  # what is skipped at first is not checked
        return decode_document(path, data)
    content = {**parsed.value.content, "nftables": kept}
    return replace(parsed, value=replace(parsed.value, content=content))


def _skimmed(data: bytes, items: list[Any]) -> list[_Item]:
    """Return of each item which rule it is: at one go where nothing is out of the ordinary."""
    try:
        found = _SKIMMED.decode(data).nftables
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = []
    return found if len(found) == len(items) else [_skim(item) for item in items]


def _skim(item: Any) -> _Item:  # noqa: ANN401 - any JSON
    try:
        return _ITEM.decode(item) if isinstance(item, Raw) else _Item()
    except msgspec.ValidationError:
        return _Item()


def _kept(item: Any, skimmed: _Item) -> Any:  # noqa: ANN401 - any JSON
    rule = skimmed.rule
    if rule is not None and (rule.family, rule.table) in IPTABLES_TABLES:
        return None
    return msgspec.json.decode(item) if isinstance(item, Raw) else item

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


_ITEM = msgspec.json.Decoder(_Item)


def decode_nft_ruleset(path: str, data: bytes) -> Parsed[Document | None]:
    """Return the list in a file; None stands in the place of each rule that iptables-save shows. Never raises."""
    parsed = decode_document(path, data, fields=_Listing)
    if parsed.value is None or not isinstance(parsed.value.content, dict):
        return parsed
    items = parsed.value.content.get("nftables")
    if not isinstance(items, list):
        return parsed
    try:
        kept = {**parsed.value.content, "nftables": [_kept(item) for item in items]}
    except (msgspec.DecodeError, UnicodeDecodeError):  # what is skipped at first is not checked
        return decode_document(path, data)
    return replace(parsed, value=replace(parsed.value, content=kept))


def _kept(item: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(item, Raw):
        return item
    try:
        rule = _ITEM.decode(item).rule
    except msgspec.ValidationError:
        rule = None
    if rule is not None and (rule.family, rule.table) in IPTABLES_TABLES:
        return None
    return msgspec.json.decode(item)

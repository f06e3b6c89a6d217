"""IP sets as `ipset save` prints them."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model.source import SourceRef


@dataclass(frozen=True, slots=True)
class SetMember:
    """One `add` line."""

    element: str
    """As printed: `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1,tcp:80`, `8000-8100`."""

    nomatch: bool
    source: SourceRef


@dataclass(frozen=True, slots=True)
class IPSet:
    """One set with its members."""

    name: str
    kind: str
    """`hash:ip`, `hash:ip,port`, `bitmap:port`, `list:set`, …"""

    family: str
    """`inet` or `inet6`; `inet` where not printed."""

    members: tuple[SetMember, ...]
    source: SourceRef
    """Its `create` line."""

    netmask: str = ""
    """Addresses are looked up without the other bits: a length or a mask, empty for all bits."""

    markmask: str = ""
    """The same for marks."""

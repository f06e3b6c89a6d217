"""Which rules of a long chain can match a packet at all, without reading the chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from analyzer.model.ruleset import Rule
from analyzer.model.source import ParseProblem
from analyzer.simulate.address import number
from analyzer.simulate.packet import Packet

_ANY = -1
_HOST_LENGTHS = {"", "32", "128"}
_PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp", "tcp": "tcp", "udp": "udp", "sctp": "sctp"}


class _Key(NamedTuple):
    """The one destination, protocol and port that a rule can match; `_ANY` and empty for any."""

    address: int
    protocol: str
    port: int


class ChainIndex:
    """The rules of a chain by what they ask of destination, protocol and port."""

    def __init__(self, entries: Sequence[Rule | ParseProblem]) -> None:
        self._positions: dict[_Key, list[int]] = defaultdict(list)
        for position, entry in enumerate(entries):
            self._positions[_key(entry)].append(position)

    def candidates(self, packet: Packet) -> Sequence[int]:
        """Return the positions, ascending, of the rules that may match: a superset of those that do."""
        flow = packet.flow
        low, high = flow.destination_ports
        if low != high:
            return sorted(self._with_any_port(packet))
        found: list[int] = []
        for address in (flow.destination, _ANY):
            for protocol in (packet.protocol, ""):
                for port in (low, _ANY):
                    found += self._positions.get(_Key(address, protocol, port), ())
        found.sort()
        return found

    def _with_any_port(self, packet: Packet) -> list[int]:
        addresses = {packet.flow.destination, _ANY}
        protocols = {packet.protocol, ""}
        return [
            position
            for key, positions in self._positions.items()
            if key.address in addresses and key.protocol in protocols
            for position in positions
        ]


def _key(entry: Rule | ParseProblem) -> _Key:
    if isinstance(entry, ParseProblem):
        return _Key(_ANY, "", _ANY)
    address = _plain(entry, "-d")
    protocol = _plain(entry, "-p")
    port = _plain(entry, "--dport")
    return _Key(
        _single_address(address),
        _PROTOCOLS.get(protocol.lower(), ""),
        int(port) if port.isdecimal() else _ANY,
    )


def _plain(rule: Rule, flag: str) -> str:
    """Return the value of an option that is there and not negated; empty otherwise."""
    shape = rule.shape
    if flag not in shape.flags or f"! {flag}" in shape.flags:
        return ""
    slot = shape.slot_of.get(flag)
    return "" if slot is None else rule.values[slot]


def _single_address(text: str) -> int:
    address, _, length = text.partition("/")
    found = number(address) if length in _HOST_LENGTHS else None
    return _ANY if found is None else found

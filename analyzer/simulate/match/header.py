"""Matches on addresses, interfaces and protocol: iptables' own options and `-m iprange`."""

from __future__ import annotations

from analyzer.model.ruleset import Option
from analyzer.simulate.address import Block, block, number
from analyzer.simulate.match.condition import (
    Condition,
    always,
    by_option,
    never,
    unknown,
    value_of,
)

_PROTOCOLS = {
    "6": "tcp", "17": "udp", "132": "sctp", "1": "icmp",
    "58": "icmpv6", "ipv6-icmp": "icmpv6", "icmp6": "icmpv6",
}  # fmt: skip
"""Other spellings: a system without /etc/protocols prints numbers."""


def same_interface(pattern: str, name: str | None) -> bool | None:
    """Tell whether an interface's name fits `eth0` or `eth+`; None where the name is not known."""
    if name is None:
        return True if pattern == "+" else None
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def _source(option: Option) -> Condition:
    covered = block(value_of(option))
    return unknown if covered is None else _from(covered)


def _from(covered: Block) -> Condition:
    value, mask = covered
    return lambda packet: packet.flow[0] & mask == value


def _destination(option: Option) -> Condition:
    covered = block(value_of(option))
    return unknown if covered is None else _to(covered)


def _to(covered: Block) -> Condition:
    value, mask = covered
    return lambda packet: packet.flow[2] & mask == value


def _in_interface(option: Option) -> Condition:
    pattern = value_of(option)
    return lambda packet: same_interface(pattern, packet.in_interface)


def _out_interface(option: Option) -> Condition:
    pattern = value_of(option)
    return lambda packet: same_interface(pattern, packet.out_interface)


def _protocol(option: Option) -> Condition:
    text = value_of(option).lower()
    wanted = _PROTOCOLS.get(text, text)
    return always if wanted in {"all", "0"} else lambda packet: packet.protocol == wanted


def _fragment(_option: Option) -> Condition:
    return never


def _version(_option: Option) -> Condition:
    return always


own_options = by_option(
    {
        "-s": _source, "--source": _source, "--src": _source,
        "-d": _destination, "--destination": _destination, "--dst": _destination,
        "-i": _in_interface, "--in-interface": _in_interface,
        "-o": _out_interface, "--out-interface": _out_interface,
        "-p": _protocol, "--protocol": _protocol, "--proto": _protocol,
        "-f": _fragment, "--fragment": _fragment,
        "-4": _version, "-6": _version, "--ipv4": _version, "--ipv6": _version,
    }
)  # fmt: skip
"""`-s -d -i -o -p -f`; nothing that is traced is a fragment."""


def _source_range(option: Option) -> Condition:
    found = _address_range(value_of(option))
    if found is None:
        return unknown
    low, high = found
    return lambda packet: low <= packet.flow.source <= high


def _destination_range(option: Option) -> Condition:
    found = _address_range(value_of(option))
    if found is None:
        return unknown
    low, high = found
    return lambda packet: low <= packet.flow.destination <= high


def _address_range(text: str) -> tuple[int, int] | None:
    first, _, last = text.partition("-")
    low, high = number(first), number(last or first)
    return None if low is None or high is None else (low, high)


iprange = by_option({"--src-range": _source_range, "--dst-range": _destination_range})
"""`-m iprange`."""

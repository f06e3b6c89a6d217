"""Addresses as numbers: what a simulator compares a million times."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from analyzer.model.ruleset import Family

WIDTH = {Family.IPV4: 32, Family.IPV6: 128}
"""Bits of an address."""


class Block(NamedTuple):
    """Addresses that agree in some bits; the mask need not be contiguous."""

    value: int
    mask: int

    def holds(self, address: int) -> bool:
        """Tell whether an address is one of them."""
        return address & self.mask == self.value


@lru_cache(maxsize=1 << 16)
def number(text: str) -> int | None:
    """Return an IP address as a number, or None for what is no address."""
    try:
        return int(ip_address(text))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 16)
def spell(family: Family, address: int) -> str:
    """Return an address as text."""
    return str(IPv4Address(address) if family is Family.IPV4 else IPv6Address(address))


def spell_endpoint(family: Family, address: int, port: int) -> str:
    """Return `10.244.1.6:9376` or `[fd00::6]:9376`."""
    text = spell(family, address)
    return f"[{text}]:{port}" if family is Family.IPV6 else f"{text}:{port}"


def family_of(text: str) -> Family:
    """Return the family of an address or CIDR."""
    return Family.IPV6 if ":" in text else Family.IPV4


@lru_cache(maxsize=1 << 16)
def block(text: str) -> Block | None:
    """Return what `10.0.0.0/8`, `10.0.0.1` or `10.0.0.1/255.0.255.0` covers, or None for what is none of these."""
    address, _, length = text.partition("/")
    value = number(address)
    if value is None:
        return None
    width = WIDTH[family_of(address)]
    mask = _mask(length, width)
    return None if mask is None else Block(value & mask, mask)


def _mask(length: str, width: int) -> int | None:
    full = (1 << width) - 1
    if not length:
        return full
    if not length.isdecimal():
        return number(length)
    bits = int(length)
    return full ^ (full >> bits) if bits <= width else None

"""IP addresses and CIDRs as text, in the one spelling in which values are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from analyzer.model.ruleset import Family

_DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII)
_PADDED = re.compile(r"\.0\d", re.ASCII)
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)", re.ASCII)


def canonical_ip(text: str) -> str:
    """Return the address as Kubernetes and iptables-save print it, or the text itself where it is none.

    `fd00:0::5` becomes `fd00::5`; `10.096.0.1` becomes `10.96.0.1`, as Go's ParseIPSloppy reads it.
    """
    if ":" in text:
        return _canonical_ipv6(text) or text
    padded = text.startswith("0") or _PADDED.search(text)
    return _LEADING_ZEROS.sub("", text) if padded and _DOTTED.fullmatch(text) else text


def family_of(address: str) -> Family | None:
    """Return the IP version of an address, or None for what is no address (a name, a redacted value)."""
    if ":" in address:
        return Family.IPV6 if _canonical_ipv6(address) else None
    return Family.IPV4 if _IPV4.fullmatch(address) else None


@lru_cache(maxsize=1 << 17)
def _canonical_ipv6(text: str) -> str:
    """Return the address as Kubernetes prints it, or an empty string for what is none."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def network_of(cidr: str) -> IPv4Network | IPv6Network | None:
    """Return the network of a CIDR, or None for anything else; blanks around it and host bits are allowed."""
    try:
        return ip_network(cidr.strip(), strict=False)
    except ValueError:
        return None


def networks_of(cidrs: Iterable[str], family: Family) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of one IP version, in order; what is no CIDR is left out."""
    version = 4 if family is Family.IPV4 else 6
    networks = (network_of(cidr) for cidr in cidrs)
    return tuple(n for n in networks if n is not None and n.version == version)

"""What NAT targets write into a connection, as the kernel chooses it (`nf_nat_core.c`, Linux 6.1)."""

from __future__ import annotations

from enum import Enum

import msgspec

from analyzer.language import _
from analyzer.model.ruleset import Family, Option
from analyzer.simulate.address import Block, block, number, spell, spell_endpoint
from analyzer.simulate.packet import Ports


class Change(Enum):
    """Which NAT target."""

    DNAT = "DNAT"
    SNAT = "SNAT"
    MASQUERADE = "MASQUERADE"
    REDIRECT = "REDIRECT"
    NETMAP = "NETMAP"


class Translation(msgspec.Struct, frozen=True):
    """New address and port of one side of a connection."""

    change: Change
    low: int | None = None
    """First address to choose from; None where the address stays or is the interface's own."""

    high: int | None = None
    ports: Ports | None = None
    """Ports to choose from; None where the port stays."""

    base: int | None = None
    """Port that maps to the first one (`:1000-2000/5000`), or None."""

    random: bool = False
    """`--random` or `--random-fully`: any port."""

    network: Block | None = None
    """Of NETMAP: the bits that are replaced."""

    def __str__(self) -> str:
        """Short form for a path, such as `DNAT`."""
        return self.change.value


def translation_of(name: str, options: tuple[Option, ...]) -> Translation | None:
    """Return the translation of a NAT target, or None where an option is not understood."""
    change = Change[name]
    values = {o.flag: o.values[0] if o.values else "" for o in options}
    random = "--random" in values or "--random-fully" in values
    match change:
        case Change.NETMAP:
            network = block(values.get("--to", ""))
            return None if network is None else Translation(change, network=network)
        case Change.MASQUERADE | Change.REDIRECT:
            ports = port_span(values["--to-ports"]) if "--to-ports" in values else None
            unreadable = "--to-ports" in values and ports is None
            return None if unreadable else Translation(change, ports=ports, random=random)
        case _:
            flag = "--to-destination" if change is Change.DNAT else "--to-source"
            return _to_range(change, values.get(flag, ""), random)


def port_span(text: str) -> Ports | None:
    """Return `80` or `1000-2000` as a range, or None for anything else."""
    first, _, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()):
        return None
    return Ports(int(first), int(last or first))


def _to_range(change: Change, text: str, random: bool) -> Translation | None:
    addresses, port_text = _split(text)
    span, _, base_text = port_text.partition("/")
    ports = port_span(span) if span else None
    if (span and ports is None) or (base_text and not base_text.isdecimal()):
        return None
    first, _, last = addresses.partition("-")
    low = number(first.strip("[]")) if first else None
    high = number(last.strip("[]")) if last else low
    if addresses and (low is None or high is None):
        return None
    base = int(base_text) if base_text else None
    return Translation(change, low, high, ports, base, random)


def _split(text: str) -> tuple[str, str]:
    """Separate addresses from ports in `10.0.0.1-10.0.0.9:80-90`, `[fd00::5]:80` or `fd00::5`."""
    if text.startswith("["):
        end = text.rindex("]") + 1
        return text[:end], text[end:].removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    addresses, _colon, ports = text.partition(":")
    return addresses, ports


def described(family: Family, address: int, ports: Ports) -> str:
    """Return `10.244.1.6:9376`, or the address alone where the port is not known."""
    return (
        spell_endpoint(family, address, ports.low)
        if ports.exact
        else _(
            "{address}, a port of {ports}",
            address=spell(family, address),
            ports=f"{ports.low}-{ports.high}",
        )
    )


def destination_back(family: Family, address: int, ports: Ports) -> str:
    """Return the effect of translating an answer's destination back."""
    return _("destination back to {described}", described=described(family, address, ports))

"""Where the conditions of a rule stand among its values: the part of reading that is the same for a whole shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from analyzer.model.ruleset import MatchShape, OptionShape, Shape


@dataclass(slots=True)
class Conditions:
    """Positions in `Rule.values`; None for what the rule does not ask. Made once for a shape."""

    source: int | None = None
    source_negated: bool = False
    destination: int | None = None
    destination_negated: bool = False
    protocol: int | None = None
    protocol_negated: bool = False
    port: int | None = None
    port_negated: bool = False
    source_type: int | None = None
    source_type_negated: bool = False
    destination_type: int | None = None
    states: int | None = None
    interface: int | None = None
    interface_negated: bool = False
    probability: int | None = None
    probability_negated: bool = False
    every: int | None = None
    affinity: bool = False
    """True for `-m recent --rcheck`: the rule is for clients that have been here before."""

    affinity_seconds: int | None = None
    unknown: bool = False
    """True where a match is not modelled."""

    asks_client: bool = False
    """True where it matters which class of clients a connection comes from."""

    balancing: bool = True
    """True where nothing but chance and affinity decides."""


@lru_cache(maxsize=4096)
def conditions_of(shape: Shape) -> Conditions:
    """Return where the conditions of a rule of this shape stand."""
    found = Conditions()
    for match in shape.matches:
        if match.name not in _WITHOUT_CONDITION:
            for option in match.options:
                _read(found, match, option)
            if match.name not in _MODELLED:
                found.unknown = True
    found.asks_client = any(
        slot is not None for slot in (found.source, found.source_type, found.interface)
    )
    found.balancing = not found.unknown and all(
        slot is None
        for slot in (
            found.source,
            found.destination,
            found.protocol,
            found.port,
            found.source_type,
            found.destination_type,
            found.states,
            found.interface,
        )
    )
    return found


_WITHOUT_CONDITION = {"comment", "nfacct", "physdev"}
"""Matches that hold for every packet here. `physdev` stands in the rules for external IPs of 1.2 to 1.20, beside
a second rule for the connections that it leaves out where the address is the node's own."""

_MODELLED = {"", "tcp", "udp", "sctp", "addrtype", "statistic", "recent", "conntrack", "state"}
_NEUTRAL = {"--mode", "--packet", "--reap", "--name", "--mask", "--rsource", "--set", "-4", "-6"}


def _read(found: Conditions, match: MatchShape, option: OptionShape) -> None:
    slot = option.slots[0] if option.slots else None
    field_name = _FIELDS.get(option.flag)
    if field_name is not None and not (option.negated and field_name in _NEVER_NEGATED):
        setattr(found, field_name, slot)
        if option.negated:
            setattr(found, f"{field_name}_negated", True)
    elif option.flag in {"--rcheck", "--update"} and not option.negated:
        found.affinity = True
    elif option.flag == "--seconds" and match.name == "recent":
        found.affinity_seconds = slot
    elif option.flag not in _NEUTRAL or option.negated:
        found.unknown = True


_FIELDS = {
    "-s": "source",
    "--source": "source",
    "--src": "source",
    "-d": "destination",
    "--destination": "destination",
    "--dst": "destination",
    "-p": "protocol",
    "--protocol": "protocol",
    "--proto": "protocol",
    "-i": "interface",
    "--in-interface": "interface",
    "--dport": "port",
    "--destination-port": "port",
    "--src-type": "source_type",
    "--dst-type": "destination_type",
    "--ctstate": "states",
    "--state": "states",
    "--probability": "probability",
    "--every": "every",
}
_NEVER_NEGATED = {"destination_type", "states", "every"}
"""Conditions whose negation is not modelled."""

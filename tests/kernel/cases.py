"""The hand-written rulesets of tests/data/simulate/kernel_cases.txt and their packets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.kernel import frames
from tests.kernel.lab import Probe

DATA = Path(__file__).resolve().parent.parent / "data" / "simulate"

_PROBES = {
    "a-to-b": Probe("a", "10.1.0.2", "10.2.0.2", 80),
    "a-to-b-udp": Probe("a", "10.1.0.2", "10.2.0.2", 53, "udp"),
    "a-to-b-443": Probe("a", "10.1.0.2", "10.2.0.2", 443),
    "a-to-host": Probe("a", "10.1.0.2", "10.1.0.1", 80),
    "a-to-p1": Probe("a", "10.1.0.2", "10.3.0.2", 80),
    "a-to-vip": Probe("a", "10.1.0.2", "10.96.0.1", 80),
    "b-to-a": Probe("b", "10.2.0.2", "10.1.0.2", 80),
    "p1-to-p2": Probe("p1", "10.3.0.2", "10.3.0.3", 80),
    "p1-to-b": Probe("p1", "10.3.0.2", "10.2.0.2", 80),
    "p1-to-vip": Probe("p1", "10.3.0.2", "10.96.0.1", 80),
    "host-to-b": Probe("host", "10.2.0.1", "10.2.0.2", 80),
    "host-to-vip": Probe("host", "10.2.0.1", "10.96.0.1", 80),
    "host-to-itself": Probe("host", "127.0.0.1", "127.0.0.1", 80),
}
_GROUPS = {
    "forwarded": ("a-to-b", "a-to-b-udp", "a-to-b-443", "b-to-a", "a-to-p1", "p1-to-p2"),
    "everywhere": (
        "forwarded",
        "a-to-host",
        "p1-to-b",
        "host-to-b",
        "host-to-itself",
    ),
}
_INLINE = re.compile(
    r"(?P<side>\w+) (?P<source>\S+) -> (?P<destination>\S+):(?P<port>\d+)/(?P<protocol>\w+)(?P<ack> ACK)?"
)


@dataclass(slots=True)
class Case:
    """Rules, and the packets to try them with."""

    name: str
    rules: list[str] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    sysctls: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    routing: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The rules as iptables-restore reads them."""
        tables: dict[str, list[str]] = {}
        for line in self.rules:
            table, _, text = line.partition(": ")
            lines = tables.setdefault(table, [])
            if text.startswith("-A"):
                lines.append(text)
            else:
                lines.insert(0, ":{} {} [0:0]".format(*text.split()))
        return "".join(
            "\n".join([f"*{table}", *lines, "COMMIT", ""]) for table, lines in tables.items()
        )


def cases(name: str = "kernel_cases.txt") -> list[Case]:
    found: list[Case] = []
    for line in (DATA / name).read_text().splitlines():
        word, _, rest = line.partition(" ")
        if line.startswith("#") or not line:
            continue
        if word == "==":
            found.append(Case(rest))
        elif word == "sysctl":
            name, _, value = rest.partition("=")
            found[-1].sysctls[name] = value
        elif word == "routing":
            found[-1].routing.append(rest)
        elif word == ">":
            found[-1].probes += _probes(rest)
        elif word in {"hairpin", "sets", "unknown"}:
            found[-1].flags.add(word)
        else:
            found[-1].rules.append(line)
    return found


def _probes(text: str) -> Iterator[Probe]:
    inline = _INLINE.fullmatch(text)
    if inline:
        yield Probe(
            inline["side"],
            inline["source"],
            inline["destination"],
            int(inline["port"]),
            inline["protocol"],
            flags=frames.ACK if inline["ack"] else frames.SYN,
        )
        return
    for name in text.split():
        if name in _PROBES:
            yield _PROBES[name]
        else:
            yield from _probes(" ".join(_GROUPS[name]))

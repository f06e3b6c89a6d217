"""The collector script for a node, node.sh, with its settings in front of it."""

from __future__ import annotations

import re
import shlex
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import IPv6Address
from typing import Final

from analyzer.model.address import canonical_ip

_SETTING = "svcbundle_{name}={value}\n"
_SAFE_ADDRESS = re.compile(r"[0-9a-fA-F:.]+")

COMMAND: Final = ("sh", "-s")
"""What reads the script, from standard input: arguments would stand in the kubelet's records."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What node.sh is told."""

    node: str = ""
    """The node's name; empty: what the host calls itself."""

    nonce: str = ""
    """What marks the frames (`new_nonce`); empty: the script makes its own."""

    logs: bool = True
    """Whether to send kube-proxy's and kubelet's logs, from /var/log or the journal."""

    log_bytes: int = 16 << 20
    """How much of each log, from its end."""

    since_seconds: int = 0
    """How far back the journal is asked; 0: without limit."""

    command_seconds: int = 120
    """After how long a command is ended."""

    total_seconds: int = 600
    """After how long no other command is started, and one that runs is ended."""

    addresses: tuple[str, ...] = ()
    """Cluster IPs and endpoint addresses: only connections from or to them, or to `node_ports`, come in
    conntrack.txt. Without both that file is left out."""

    node_ports: tuple[int, ...] = ()


def new_nonce() -> str:
    """Return a nonce that nobody guesses."""
    return uuid.uuid4().hex


def script(settings: NodeSettings) -> bytes:
    """Return node.sh with the settings as assignments in front of it."""
    values = {
        "node": settings.node,
        "nonce": settings.nonce,
        "logs": "yes" if settings.logs else "no",
        "log_bytes": str(settings.log_bytes),
        "since": str(settings.since_seconds),
        "limit": str(settings.command_seconds),
        "total": str(settings.total_seconds),
        "connections": "\n".join(_connections(settings.addresses, settings.node_ports)),
    }
    assignments = "".join(
        _SETTING.format(name=name, value=shlex.quote(value))
        for name, value in values.items()
        if value
    )
    return assignments.encode() + files("analyzer.collect").joinpath("node.sh").read_bytes()


def _connections(addresses: Sequence[str], ports: Sequence[int]) -> list[str]:
    """Return what a line of conntrack.txt may hold, with the blank behind it.

    /proc/net/nf_conntrack writes IPv6 addresses out in full, `conntrack -L` shortens them.
    """
    words: dict[str, None] = {}
    for address in addresses:
        if not _SAFE_ADDRESS.fullmatch(address):
            continue
        for spelling in (canonical_ip(address), _in_full(address)):
            words |= dict.fromkeys((f"src={spelling} ", f"dst={spelling} "))
    return [*words, *(f"dport={port} " for port in ports)]


def _in_full(address: str) -> str:
    try:
        return IPv6Address(address).exploded
    except ValueError:
        return address

"""A host made of a few lines, and packets sent through it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.model.node import InterfaceAddress, Route, Sysctl
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.source import SourceRef
from analyzer.parse.iptables_save import parse_iptables_save
from analyzer.simulate.address import family_of, number, spell, spell_endpoint
from analyzer.simulate.branch import Branch, Delivered, Departure, Ending, Step, Way
from analyzer.simulate.forwarding import Forwarding
from analyzer.simulate.host import Host
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.packet import EPHEMERAL, Flow, Packet, Ports, TcpFlags
from analyzer.simulate.question import Budget

HERE = SourceRef("test", 1)
_SETTINGS = (
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.conf.all.route_localnet",
)


def rules(text: str, family: Family = Family.IPV4) -> tuple[Ruleset, ...]:
    """Parse iptables-save text."""
    return parse_iptables_save("iptables-save.txt", text, family)


def host(
    rulesets: tuple[Ruleset, ...],
    addresses: Sequence[tuple[str, str]] = (("eth0", "192.0.2.1/24"),),
    routes: Sequence[Route] = (),
    settings: Sequence[str] = _SETTINGS,
) -> Host:
    """A host with these addresses that routes everything else to eth1."""
    listed = tuple(
        InterfaceAddress(device, text.split("/")[0], int(text.split("/")[1]), HERE)
        for device, text in addresses
    )
    default = tuple(
        Route("unicast", destination, "", "eth1", "main", 0, HERE)
        for destination in ("0.0.0.0/0", "::/0")
    )
    return Host(
        "node",
        {r.family: rulesets for r in rulesets},
        addresses=listed,
        routes=(*routes, *default),
        sysctls={name: Sysctl(name, "1", HERE) for name in settings},
    )


@dataclass(frozen=True, slots=True)
class Result:
    """Where a packet went."""

    verdict: str
    """`dropped`, `rejected`, …, `local` or `out`."""

    source: str
    destination: str
    """`address:port`."""

    chance: float
    steps: tuple[Step, ...]
    way: Way


def packet(source: str, destination: str, port: int = 80, protocol: str = "tcp") -> Packet:
    """The first packet of a connection from some port."""
    family = family_of(source)
    flow = Flow(number(source) or 0, EPHEMERAL, number(destination) or 0, Ports(port, port))
    flags = TcpFlags.SYN if protocol == "tcp" else TcpFlags.NONE
    return Packet(family, protocol, flow, flags=flags)


def send(where: Host, sent: Packet, device: str = "eth1", *, indexed: bool = True) -> list[Result]:
    """Receive a packet at an interface, or send it where the source is the host's own or loopback."""
    machine = Machine(where)
    forwarding = Forwarding(machine, Netfilter(machine, Budget(), indexed=indexed))
    own = machine.owns(sent.flow.source) or spell(sent.family, sent.flow.source) in _LOOPBACK
    branch = Branch(sent)
    ways = forwarding.send(branch) if own else forwarding.receive(branch, device)
    return [_result(way) for way in ways]


_LOOPBACK = {"127.0.0.1", "::1"}


def _result(way: Way) -> Result:
    branch = way if isinstance(way, Branch) else way.branch
    flow, family = branch.packet.flow, branch.packet.family
    match way:
        case Ending():
            verdict = way.fate.value
        case Departure():
            verdict = "out"
        case Delivered():
            verdict = "local"
        case _:
            verdict = "nowhere"
    return Result(
        verdict,
        spell(family, flow.source),
        spell_endpoint(family, flow.destination, flow.destination_ports.low),
        float(branch.chance),
        branch.trail.steps() if branch.trail else (),
        way,
    )


def quoted_comments(text: str) -> str:
    """Put quotes around comments of several words, which kube-proxy's unit tests print bare."""
    return re.sub(
        r"--comment ([^\"\s][^\"]*?)(?= -[a-zA-Z-]| ! |$)",
        r'--comment "\1"',
        text,
        flags=re.MULTILINE,
    )

"""A host in a network namespace with neighbours on every side, and the same host as the simulator is told of it.

a ---- a0 host b0 ---- b          a, b: 10.1.0.2 and 10.2.0.2 (fd01::2, fd02::2), no addresses of their own,
          |                       so that nobody but the host answers; everything unknown goes out by b0.
         br0 -- p1, p2            p1, p2: 10.3.0.2 and 10.3.0.3 (fd03::2, fd03::3)
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass
from enum import Enum

from analyzer.model.node import Document
from analyzer.model.ruleset import Family
from analyzer.parse.document import decode_document
from analyzer.parse.ip_tool import parse_addresses, parse_links, parse_route_rules, parse_routes
from analyzer.parse.ipset_save import parse_ipset_save
from analyzer.parse.iptables_save import parse_iptables_save
from analyzer.parse.sysctl import parse_sysctls
from analyzer.simulate.host import Host
from tests.kernel import frames
from tests.kernel.namespaces import Namespace

SIDES = ("a", "b", "p1", "p2")
_MAC = "02:00:00:00:00:{:02x}"
_GATEWAY = {"10.2.0.254": "b0", "fd02::fe": "b0"}
_NEIGHBOURS = {
    "a0": ("10.1.0.2", "10.1.0.3", "fd01::2"),
    "b0": ("10.2.0.0", "10.2.0.2", "10.2.0.3", "10.2.0.9", "10.2.0.254", "fd02::2", "fd02::fe"),
}
_PODS = {"p1": ("10.3.0.2", "fd03::2"), "p2": ("10.3.0.3", "fd03::3")}
_SYSCTLS = (
    "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.all.route_localnet", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables",
)  # fmt: skip
_PATIENCE = 0.012
"""Seconds without any sign of a packet after which it is taken for dropped; the way is all in one kernel."""


class Kind(Enum):
    """What became of a probe."""

    OUT = "out"
    LOCAL = "local"
    REJECTED = "rejected"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the kernel did with one probe."""

    kind: Kind
    side: str = ""
    """By which neighbour it left."""

    source: str = ""
    source_port: int = 0
    destination: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """One packet to send: the first of a connection."""

    side: str
    """`a`, `b`, `p1`, `p2`, or `host` for a process of the host."""

    source: str
    destination: str
    port: int
    protocol: str = "tcp"
    source_port: int = 0
    """0 for a new one."""


class KernelLab:
    """The namespaces of a test run."""

    def __init__(self) -> None:
        self._host = Namespace("h")
        self._sides = {side: Namespace(side) for side in SIDES}
        self._cookie = 1000
        self._port = 20000
        self._native = False
        self._build()
        self._taps = {side: self._tap(side) for side in SIDES}
        self._local = [
            self._host.socket(family, socket.SOCK_RAW, protocol)
            for family, protocols in (
                (socket.AF_INET, (frames.TCP, frames.UDP, frames.ICMP)),
                (socket.AF_INET6, (frames.TCP, frames.UDP, frames.ICMP6)),
            )
            for protocol in protocols
        ]
        self._sender = self._host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._sender_v6 = self._host.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def close(self) -> None:
        for opened in (*self._taps.values(), *self._local, self._sender, self._sender_v6):
            opened.close()
        for namespace in (self._host, *self._sides.values()):
            namespace.remove()

    # --- building ---

    def _build(self) -> None:
        host = self._host
        host.ip("link set lo up")
        host.ip("link add br0 address 02:00:00:00:00:f0 type bridge")
        host.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        for name in ("all", "default"):
            host.run(
                "sysctl",
                "-qw",
                f"net.ipv6.conf.{name}.accept_dad=0",
                f"net.ipv4.conf.{name}.rp_filter=0",
            )
        for index, side in enumerate(SIDES):
            device = f"{side}0" if side in {"a", "b"} else f"v{side}"
            peer = self._sides[side]
            peer.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            peer.ip(
                f"link add eth0 address {_MAC.format(index)} type veth peer name {device} netns {host.name}"
            )
            peer.run("ip", "link", "set", "eth0", "up", "promisc", "on")
            host.ip(f"link set {device} address {_MAC.format(0x10 + index)}")
            host.ip(f"link set {device} up")
        host.ip("link set vp1 master br0")
        host.ip("link set vp2 master br0")
        host.ip("link set br0 up")
        for device, third in (("a0", 1), ("b0", 2), ("br0", 3)):
            host.ip(f"addr add 10.{third}.0.1/24 dev {device}")
            host.ip(f"-6 addr add fd0{third}::1/64 dev {device} nodad")
        host.ip("route add default via 10.2.0.254 dev b0")
        host.ip("-6 route add default via fd02::fe dev b0")
        for device, addresses in _NEIGHBOURS.items():
            mac = _MAC.format(SIDES.index(device[0]))
            for address in addresses:
                host.ip(f"neigh replace {address} lladdr {mac} dev {device} nud permanent")
        for side, addresses in _PODS.items():
            for address in addresses:
                mac = _MAC.format(SIDES.index(side))
                host.ip(f"neigh replace {address} lladdr {mac} dev br0 nud permanent")
            host.ip(f"link set v{side} type bridge_slave hairpin off")
            mac = _MAC.format(SIDES.index(side))
            host.run("bridge", "fdb", "replace", mac, "dev", f"v{side}", "master", "static")
        self.reset()

    def reset(self) -> None:
        """Put settings back and take all rules away."""
        self.set_sysctls(
            {
                name: "0" if name.endswith(("rp_filter", "route_localnet")) else "1"
                for name in _SYSCTLS
            }
        )
        for flavour in ("nft", "legacy"):
            for version in ("ip", "ip6"):
                self._host.run(f"{version}tables-{flavour}-restore", text=_CLEAN)
        self._host.run("ipset", "flush")

    def set_sysctls(self, values: dict[str, str]) -> None:
        if values:
            self._host.run("sysctl", "-qw", *(f"{name}={value}" for name, value in values.items()))

    def hairpin(self, on: bool) -> None:
        for side in _PODS:
            self._host.ip(f"link set v{side} type bridge_slave hairpin {'on' if on else 'off'}")

    def load(
        self, rules: str, flavour: str = "nft", family: Family = Family.IPV4, sets: str = ""
    ) -> None:
        """Load rules in the form of iptables-save, and sets in that of `ipset save`, in place of all there are."""
        version = "ip" if family is Family.IPV4 else "ip6"
        if sets:
            self._host.run("ipset", "-exist", "restore", text=sets)
        self._host.run(f"{version}tables-{flavour}-restore", text=rules)

    def load_nft(self, rules: str) -> None:
        """Load tables of nft beside those of iptables."""
        self._host.run("nft", "-f", "-", text=rules)
        self._native = True

    def drop_nft(self) -> None:
        """Take the table `t` of a test away again."""
        listed = self._host.run("nft", "list", "tables").splitlines()
        for table in (line for line in listed if line.endswith(" t")):
            self._host.run("nft", "delete", *table.split())
        self._native = False

    def ip(self, words: str) -> None:
        self._host.ip(words)

    # --- what the simulator is told ---

    def told(self, flavour: str = "nft", family: Family = Family.IPV4) -> Host:
        """Return the host as a bundle would describe it."""
        version = "ip" if family is Family.IPV4 else "ip6"
        saved = self._host.run(f"{version}tables-{flavour}-save", "-c")
        routes = self._host.run("ip", "-j", "route", "show", "table", "all")
        routes_v6 = self._host.run("ip", "-j", "-6", "route", "show", "table", "all")
        settings = self._host.run("sysctl", *_SYSCTLS)
        return Host(
            "host",
            {family: parse_iptables_save("iptables-save.txt", saved, family)},
            nft=self._nft(),
            addresses=parse_addresses("ip-addr.json", self._host.run("ip", "-j", "addr")).value,
            links=parse_links("ip-link.json", self._host.run("ip", "-j", "-d", "link")).value,
            routes=(
                *parse_routes("ip-route.json", routes).value,
                *parse_routes("ip-route.json", routes_v6).value,
            ),
            route_rules=parse_route_rules("ip-rule.txt", self._host.run("ip", "rule")).value,
            sysctls=parse_sysctls("sysctl.txt", settings).value,
            sets=parse_ipset_save("ipset-save.txt", self._host.run("ipset", "save")).value,
        )

    def _nft(self) -> Document | None:
        if not self._native:
            return None
        listed = self._host.run("nft", "-j", "list", "ruleset").encode()
        return decode_document("nft-ruleset.json", listed).value

    # --- packets ---

    def new_port(self) -> int:
        """Return a source port that no probe has used lately: each probe opens a connection."""
        self._port = 20000 + (self._port - 19999) % 40000
        return self._port

    def send(self, probe: Probe) -> Observed:
        """Send a packet and see what becomes of it."""
        self._cookie += 1
        protocol = frames.TCP if probe.protocol == "tcp" else frames.UDP
        data = frames.packet(
            probe.source, probe.source_port, probe.destination, probe.port, protocol, self._cookie
        )
        self._drain()
        refused = False
        if probe.side == "host":
            refused = self._send_from_host(probe, data)
        else:
            self._send_from(probe, data)
        return self._observe(refused)

    def _send_from_host(self, probe: Probe, data: bytes) -> bool:
        sender = self._sender_v6 if ":" in probe.destination else self._sender
        try:
            sender.sendto(data, (probe.destination, 0))
        except OSError:
            return True
        return False

    def _send_from(self, probe: Probe, data: bytes) -> None:
        index = SIDES.index(probe.side)
        target = 0x10 + index if probe.side in {"a", "b"} else 0xF0
        destination = _MAC.format(target)
        for side, addresses in _PODS.items():
            if probe.side in _PODS and probe.destination in addresses:
                destination = _MAC.format(SIDES.index(side))
        ether = frames.ETHER_IPV6 if ":" in probe.source else frames.ETHER_IPV4
        head = _bytes(destination) + _bytes(_MAC.format(index)) + ether.to_bytes(2, "big")
        self._taps[probe.side].send(head + data)

    def _tap(self, side: str) -> socket.socket:
        opened = self._sides[side].socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        opened.bind(("eth0", 3))
        return opened

    def _drain(self) -> None:
        while self._caught(0):
            pass

    def _observe(self, refused: bool) -> Observed:
        rejected = left = None
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for where, seen in self._caught(max(0.0, deadline - time.monotonic())):
                if seen.cookie != self._cookie:
                    continue
                if seen.icmp is not None or seen.reset:
                    rejected = Observed(Kind.REJECTED)
                    deadline = min(deadline, time.monotonic() + 0.003)
                elif where:
                    left = Observed(
                        Kind.OUT,
                        where,
                        seen.source,
                        seen.source_port,
                        seen.destination,
                        seen.destination_port,
                    )
                    deadline = 0
                else:
                    return Observed(
                        Kind.LOCAL,
                        "",
                        seen.source,
                        seen.source_port,
                        seen.destination,
                        seen.destination_port,
                    )
            if refused:
                deadline = min(deadline, time.monotonic() + 0.003)
        return left or rejected or Observed(Kind.DROPPED)

    def _caught(self, patience: float) -> list[tuple[str, frames.Seen]]:
        """Return what has come in, with the side it came to; empty for the host itself."""
        sides = {tap: side for side, tap in self._taps.items()}
        ready, _, _ = select.select([*sides, *self._local], [], [], patience)
        found = []
        for opened in ready:
            side = sides.get(opened, "")
            data, address = opened.recvfrom(65535)
            if side and (
                address[2] == socket.PACKET_OUTGOING
                or data[:6] != _bytes(_MAC.format(SIDES.index(side)))
            ):
                continue
            seen = self._read(opened, data[14:] if side else data, address)
            if seen is not None:
                found.append((side, seen))
        return found or ([("", frames.Seen(0, "", 0, "", 0, 0))] if ready else [])

    def _read(
        self, opened: socket.socket, data: bytes, address: tuple[object, ...]
    ) -> frames.Seen | None:
        if opened.family is socket.AF_INET6:
            # A raw IPv6 socket hands over the payload without header.
            protocol = opened.proto
            data = frames.headed(data, str(address[0]), "::", protocol)
        try:
            return frames.read(data)
        except (IndexError, ValueError):
            return None


def _bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


_CLEAN = "".join(
    f"*{table}\n" + "".join(f":{chain} ACCEPT [0:0]\n" for chain in chains.split()) + "COMMIT\n"
    for table, chains in {
        "raw": "PREROUTING OUTPUT",
        "mangle": "PREROUTING INPUT FORWARD OUTPUT POSTROUTING",
        "nat": "PREROUTING INPUT OUTPUT POSTROUTING",
        "filter": "INPUT FORWARD OUTPUT",
    }.items()
)

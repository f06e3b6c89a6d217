"""A host in a network namespace with neighbours on every side, and the same host as the simulator is told of it.

a ---- a0 host b0 ---- b          a, b: 10.1.0.2 and 10.2.0.2 (fd01::2, fd02::2), no addresses of their own,
          |                       so that nobody but the host answers; everything unknown goes out by b0.
         br0 -- p1, p2            p1, p2: 10.3.0.2 and 10.3.0.3 (fd03::2, fd03::3)
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from pathlib import Path

from analyzer.model.node import Document
from analyzer.model.ruleset import Family
from analyzer.parse.document import decode_document
from analyzer.parse.ip_tool import parse_addresses, parse_links, parse_route_rules, parse_routes
from analyzer.parse.ipset_save import parse_ipset_save
from analyzer.parse.iptables_save import parse_iptables_save
from analyzer.parse.sysctl import parse_sysctls
from analyzer.simulate.host import Host
from tests.kernel import frames
from tests.kernel.frames import Content, Ends, Seen, Turn
from tests.kernel.namespaces import Namespace

SIDES = ("a", "b", "p1", "p2")
_MAC = "02:00:00:00:00:{:02x}"
_GATEWAY = {"10.2.0.254": "b0", "fd02::fe": "b0"}
_NEIGHBOURS = {
    "a0": ("10.1.0.2", "10.1.0.3", "10.2.0.9", "fd01::2", "fd01::3", "fd02::9"),
    "b0": (
        *(f"10.2.0.{host}" for host in (0, 2, 3, 9, 254, *range(64, 80))),
        *(f"fd02::{host:x}" for host in (2, 3, 9, 254, *range(64, 80))),
    ),
}
_PODS = {"p1": ("10.3.0.2", "fd03::2"), "p2": ("10.3.0.3", "fd03::3")}
_SYSCTLS = (
    "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.all.route_localnet", "net.ipv4.conf.all.src_valid_mark",
    "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables",
    "net.ipv4.conf.a0.forwarding", "net.ipv6.conf.a0.forwarding",
)  # fmt: skip
_QUIET = (
    "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0", "net.ipv4.icmp_echo_ignore_all=1",
    "net.ipv6.icmp.echo_ignore_all=1",
    "net.ipv4.tcp_syncookies=2",
    "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1",
)  # fmt: skip
"""Errors are not held back, no echo is answered but by the laboratory, no half-open connection is kept, and
of several next hops each connection has its own."""

_PATIENCE = 0.012
"""Seconds without any sign of a packet after which it is taken for dropped; the way is all in one kernel."""

_PATIENTLY = 0.5
"""The same for a packet that was expected: a busy machine may be late."""

_BRIEFLY = 0.003
"""Seconds to wait for the packet itself where an error has come back."""

SERVED = (22, 53, 80, 81, 443, 8080, 30080, *range(8000, 8011))
"""Ports on which the host listens, so that it answers a connection instead of refusing it."""

_NOTHING = Seen(0, "", 0, "", 0, 0, 0)


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

    flags: int = frames.SYN
    """Of TCP."""


class KernelLab:
    """The namespaces of a test run."""

    def __init__(self) -> None:
        self._host = Namespace("h")
        self._sides = {side: Namespace(side) for side in SIDES}
        self._conversation = 1000
        self._early: list[tuple[str, Seen]] = []
        self._port = 20000
        self._native = False
        self._patience = _PATIENCE
        self._build()
        self._taps = {side: self._tap(side) for side in SIDES}
        self._local = [
            self._host.socket(family, socket.SOCK_RAW, protocol)
            for family, protocols in (
                (socket.AF_INET, (frames.TCP, frames.UDP, frames.ICMP, frames.SCTP)),
                (socket.AF_INET6, (frames.TCP, frames.UDP, frames.ICMP6, frames.SCTP)),
            )
            for protocol in protocols
        ]
        for opened in self._local:
            if opened.family is socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self._servers = [
            self._host.server(kind, port)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
            for port in SERVED
        ]
        self._sender = self._host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._sender_v6 = self._host.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def close(self) -> None:
        for opened in (
            *self._taps.values(),
            *self._local,
            *self._servers,
            self._sender,
            self._sender_v6,
        ):
            opened.close()
        for namespace in (self._host, *self._sides.values()):
            namespace.remove()

    # --- building ---

    def _build(self) -> None:
        host = self._host
        host.ip("link set lo up")
        host.ip("link add br0 address 02:00:00:00:00:f0 type bridge")
        host.run("sysctl", "-qw", *_QUIET)
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
                name: "0"
                if name.endswith(("rp_filter", "route_localnet", "src_valid_mark"))
                else "1"
                for name in _SYSCTLS
            }
        )
        for flavour in ("nft", "legacy"):
            for version in ("ip", "ip6"):
                self._host.run(f"{version}tables-{flavour}-restore", text=_CLEAN)
        self._host.run("ipset", "flush")
        if self._native:
            self.drop_nft()

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

    @contextmanager
    def routing(self, changes: Sequence[str]) -> Iterator[None]:
        """Have other routes and rules for a while: arguments of `ip` with a place for `add` or `del`."""
        for words in changes:
            self._host.ip(words.format("add"))
        try:
            yield
        finally:
            for words in reversed(changes):
                self._host.ip(words.format("del"))

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

    def connections(self) -> str:
        """Return what conntrack shows."""
        return self._host.run("conntrack", "-L")

    def forget_clients(self) -> None:
        """Empty the lists of `-m recent`: every client is new again."""
        with self._host.entered():
            for listed in Path("/proc/thread-self/net/xt_recent").glob("*"):
                listed.write_text("/")

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Wait longer for a while."""
        self._patience = _PATIENTLY
        try:
            yield
        finally:
            self._patience = _PATIENCE

    def send(self, probe: Probe) -> Observed:
        """Send the first packet of a connection and see what becomes of it."""
        self._conversation += 1
        self._drain()
        refused = self._put(probe, Turn.REQUEST)
        return self._observe(Turn.REQUEST, refused=refused, opened=probe)

    def answer(self, request: Observed, probe: Probe) -> Observed:
        """Answer a packet that has arrived somewhere, and see what becomes of the answer.

        A TCP server of the host answers by itself.
        """
        if request.kind is Kind.LOCAL and probe.protocol == "tcp":
            return self._observe(Turn.REPLY, refused=False)
        return self._observe(Turn.REPLY, refused=self._put(answer_to(request, probe), Turn.REPLY))

    def go_on(self, probe: Probe) -> Observed:
        """Send the client's next packet."""
        return self._observe(Turn.DATA, refused=self._put(probe, Turn.DATA))

    def _put(self, probe: Probe, turn: Turn) -> bool:
        """Send one packet; tell whether the host itself refuses to."""
        content = Content(
            frames.NUMBERS[probe.protocol],
            probe.source_port,
            probe.port,
            self._conversation,
            turn,
            frames.FLAGS[turn] if turn else probe.flags,
        )
        data = frames.packet(probe.source, probe.destination, content)
        if probe.side == "host":
            return self._send_from_host(probe, data)
        self._send_from(probe, data)
        return False

    def _send_from_host(self, probe: Probe, data: bytes) -> bool:
        version_6 = ":" in probe.destination
        sender = self._sender_v6 if version_6 else self._sender
        try:
            if not version_6:
                sender.bind((probe.source, 0))  # routed by its source too, as a connection is
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
        self._early.clear()
        while self._caught(0):
            pass

    def _observe(self, turn: Turn, *, refused: bool, opened: Probe | None = None) -> Observed:
        """Return what becomes of a packet; an error counts where the packet itself is not seen.

        `opened`: the first packet of a connection, where it is one. An error has to be about it, and an answer
        may be seen before it.
        """
        served = opened is not None and opened.flags == frames.SYN
        rejected: Observed | None = None
        deadline = time.monotonic() + (_BRIEFLY if refused else self._patience)
        caught, self._early = self._early, []
        while True:
            for where, seen in caught:
                if seen.conversation != self._conversation or seen.turn < turn:
                    continue
                if served and seen.turn == Turn.REPLY and not seen.about:
                    self._early.append((where, seen))
                elif seen.about and (opened is None or _is_about(seen.about, opened)):
                    rejected = Observed(Kind.REJECTED)
                    deadline = min(deadline, time.monotonic() + _BRIEFLY)
                elif not seen.about:
                    return _observed(where, seen)
            left = deadline - time.monotonic()
            if left <= 0:
                return rejected or Observed(Kind.DROPPED)
            caught = self._caught(left)

    def _caught(self, patience: float) -> list[tuple[str, Seen]]:
        """Return what has come in, with the side it came to; empty for the host itself."""
        sides = {tap: side for side, tap in self._taps.items()}
        ready, _, _ = select.select([*sides, *self._local], [], [], patience)
        found = []
        for opened in ready:
            side = sides.get(opened, "")
            data, ancillary, _, address = opened.recvmsg(65535, 128)
            if side and (
                address[2] == socket.PACKET_OUTGOING
                or data[:6] != _bytes(_MAC.format(SIDES.index(side)))
            ):
                continue
            if side:
                data = data[14:]
            elif opened.family is socket.AF_INET6:
                data = _headed(data, opened.proto, str(address[0]), ancillary)
            seen = _read(data)
            if seen is not None:
                found.append((side, seen))
        return found or ([("", _NOTHING)] if ready else [])


def _headed(
    data: bytes, protocol: int, source: str, ancillary: list[tuple[int, int, bytes]]
) -> bytes:
    """Return a payload with the header that a raw IPv6 socket leaves out."""
    told = {(level, kind): value for level, kind, value in ancillary}
    found = told[socket.IPPROTO_IPV6, socket.IPV6_PKTINFO]
    return frames.headed(data, source, str(ip_address(found[:16])), protocol)


def _read(data: bytes) -> Seen | None:
    try:
        return frames.read(data)
    except (IndexError, ValueError):
        return None


def answer_to(request: Observed, probe: Probe) -> Probe:
    """Return the answer that whom a packet has reached would send."""
    return Probe(
        request.side or "host",
        request.destination,
        request.source,
        request.source_port,
        probe.protocol,
        request.port,
    )


def _is_about(refused: Ends, opened: Probe) -> bool:
    """Tell whether a client would take a refusal for one of the connection that it opened."""
    sent = Ends(opened.source, opened.source_port, opened.destination, opened.port)
    if opened.protocol in frames.PINGS:
        return (refused.source, refused.destination) == (sent.source, sent.destination)
    return refused == sent


def _observed(where: str, seen: Seen) -> Observed:
    kind = Kind.OUT if where else Kind.LOCAL
    return Observed(
        kind, where, seen.source, seen.source_port, seen.destination, seen.destination_port
    )


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

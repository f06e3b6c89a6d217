"""The addresses of the laboratory in one family, and what is only said of that family."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.model.ruleset import Family


@dataclass(frozen=True, slots=True)
class Palette:
    """What random rulesets and packets of one family are made of."""

    family: Family
    addresses: tuple[str, ...]
    blocks: tuple[str, ...]
    targets: tuple[str, ...]
    """Where DNAT leads."""

    several: str
    """A range of destinations."""

    sources: dict[str, tuple[str, ...]]
    """By side, or of the host."""

    loopback: str
    from_loopback: tuple[str, ...]
    """Where the host goes from its loopback address."""

    service: str
    """An address that nobody has."""

    host_sources: tuple[str, ...]
    """What SNAT in INPUT writes."""

    snat: str
    snat_several: str
    netmap_to: str
    netmap_from: str
    ranges: tuple[str, str]
    """Of `--dst-range` and `--src-range`."""

    kinds: tuple[str, ...]
    """Of `-m addrtype`."""

    rejections: tuple[str, ...]
    ping: str
    """As `-p` has it."""

    ping_match: str
    """The match and its option."""

    ping_types: tuple[str, ...]
    sets: tuple[tuple[str, str], ...]
    """IP sets of ipsets.txt, and the sides that are looked up in them."""

    settings: tuple[tuple[str, str, float], ...]
    """Name, value other than the usual one, and how often."""

    routing: tuple[str, ...]
    """What is put into routing tables and rules, and taken out again."""

    def end(self, address: str, port: str) -> str:
        """Return an address with a port, as DNAT is told."""
        return f"[{address}]:{port}" if self.family is Family.IPV6 else f"{address}:{port}"


IPV4 = Palette(
    family=Family.IPV4,
    addresses=(
        "10.1.0.2", "10.1.0.3", "10.2.0.2", "10.2.0.3", "10.3.0.2", "10.3.0.3",
        "10.1.0.1", "10.2.0.1", "10.3.0.1", "10.96.0.1", "10.96.0.2", "8.8.8.8",
    ),
    blocks=(
        "10.1.0.0/24", "10.2.0.0/16", "10.0.0.0/8", "10.96.0.0/12", "10.0.0.2/255.0.0.255", "10.0.0.0/9",
    ),
    targets=(
        "10.2.0.2", "10.2.0.3", "10.3.0.2", "10.3.0.3", "10.1.0.2", "10.2.0.1", "10.3.0.1", "10.2.0.254",
    ),
    several="10.2.0.2-10.2.0.3",
    sources={
        "a": ("10.1.0.2", "10.1.0.3", "10.2.0.9"),
        "b": ("10.2.0.2", "10.2.0.3", "8.8.8.8"),
        "p1": ("10.3.0.2",),
        "p2": ("10.3.0.3",),
        "host": ("10.1.0.1", "10.2.0.1", "10.3.0.1", "127.0.0.1"),
    },
    loopback="127.0.0.1",
    from_loopback=("127.0.0.1", "10.1.0.1", "10.2.0.1"),
    service="10.96.0.1",
    host_sources=("10.9.9.9", "10.2.0.3"),
    snat="10.2.0.77",
    snat_several="10.2.0.77-10.2.0.78",
    netmap_to="10.2.0.0/30",
    netmap_from="10.2.0.64/28",
    ranges=("10.2.0.0-10.3.0.2", "10.1.0.3-10.3.0.2"),
    kinds=("LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "LOCAL,BROADCAST"),
    rejections=(
        "icmp-port-unreachable", "icmp-host-prohibited", "icmp-net-unreachable", "icmp-host-unreachable",
        "icmp-proto-unreachable", "icmp-net-prohibited", "icmp-admin-prohibited",
    ),
    ping="icmp",
    ping_match="-m icmp {}--icmp-type",
    ping_types=("8", "0", "3", "3/3", "3/10", "any", "11"),
    sets=(
        ("ips", "src"), ("ips", "dst"), ("nets", "dst"), ("nets", "src"), ("ends", "dst,dst"), ("ports", "dst"),
        ("triples", "dst,dst,src"), ("both", "src"), ("doors", "src,src"), ("halves", "src"), ("bits", "dst"),
        ("webs", "dst,dst"), ("webs", "src,dst"), ("ways", "dst,dst,src"), ("odd", "dst"), ("ends", "src,src"),
    ),
    settings=(
        ("net.ipv4.ip_forward", "0", 0.05),
        ("net.ipv4.conf.all.rp_filter", "1", 0.15),
        ("net.ipv4.conf.all.rp_filter", "2", 0.15),
        ("net.ipv4.conf.all.route_localnet", "1", 0.2),
        ("net.bridge.bridge-nf-call-iptables", "0", 0.2),
    ),
    routing=(
        "route {} blackhole 10.96.0.2/32",
        "route {} unreachable 10.96.0.0/30",
        "route {} prohibit 10.2.0.3/32",
        "route {} 10.96.0.0/16 via 10.2.0.2 dev b0",
        "route {} 10.2.0.9/32 dev a0",
        "route {} default via 10.2.0.254 dev b0 table 100",
        "route {} blackhole 10.2.0.0/16 table 100",
        "route {} 10.96.0.1/32 via 10.1.0.2 dev a0 table 100",
        "route {} throw 10.3.0.0/24 table 100",
        "rule {} fwmark 1/3 lookup 100 pref 50",
        "rule {} from 10.1.0.0/24 lookup 100 pref 60",
        "rule {} iif a0 to 10.96.0.0/12 lookup 100 pref 70",
        "rule {} not from 10.3.0.0/24 lookup 100 pref 80",
        "rule {} fwmark 2 prohibit pref 90",
        "rule {} from 10.1.0.3 unreachable pref 40",
        "rule {} fwmark 3/3 blackhole pref 41",
        "rule {} to 10.96.0.0/16 goto 75 pref 45",
        "rule {} from all to 10.3.0.0/24 lookup 100 suppress_prefixlength 0 pref 75",
        "route {} 10.96.0.0/13 nexthop via 10.2.0.2 dev b0 weight 3 nexthop via 10.1.0.2 dev a0 weight 1",
    ),
)  # fmt: skip

IPV6 = Palette(
    family=Family.IPV6,
    addresses=(
        "fd01::2", "fd01::3", "fd02::2", "fd02::3", "fd03::2", "fd03::3",
        "fd01::1", "fd02::1", "fd03::1", "fd96::1", "fd96::2", "2001:db8::8",
    ),
    blocks=("fd01::/64", "fd02::/16", "fd00::/8", "fd96::/12", "::2/::ffff", "fd00::/9"),
    targets=(
        "fd02::2", "fd02::3", "fd03::2", "fd03::3", "fd01::2", "fd02::1", "fd03::1", "fd02::fe",
    ),
    several="fd02::2-fd02::3",
    sources={
        "a": ("fd01::2", "fd01::3", "fd02::9"),
        "b": ("fd02::2", "fd02::3", "2001:db8::8"),
        "p1": ("fd03::2",),
        "p2": ("fd03::3",),
        "host": ("fd01::1", "fd02::1", "fd03::1", "::1"),
    },
    loopback="::1",
    from_loopback=("::1", "fd01::1", "fd02::1"),
    service="fd96::1",
    host_sources=("fd99::9", "fd02::3"),
    snat="fd02::4d",
    snat_several="fd02::4d-fd02::4e",
    netmap_to="fd02::/126",
    netmap_from="fd02::40/124",
    ranges=("fd02::-fd03::2", "fd01::3-fd03::2"),
    kinds=("LOCAL", "UNICAST", "UNREACHABLE", "MULTICAST", "LOCAL,UNICAST", "ANYCAST", "LOCAL,UNREACHABLE"),
    rejections=(
        "icmp6-port-unreachable", "icmp6-no-route", "icmp6-adm-prohibited", "icmp6-addr-unreachable",
        "icmp6-policy-fail", "icmp6-reject-route",
    ),
    ping="icmpv6",
    ping_match="-m icmp6 {}--icmpv6-type",
    ping_types=("128", "129", "1", "1/4", "1/1", "echo-request", "3"),
    sets=(
        ("ips6", "src"), ("ips6", "dst"), ("nets6", "dst"), ("nets6", "src"), ("ends6", "dst,dst"),
        ("ports", "dst"), ("triples6", "dst,dst,src"), ("both6", "src"), ("doors6", "src,src"),
        ("halves6", "src"),
    ),
    settings=(
        ("net.ipv6.conf.all.forwarding", "0", 0.05),
        ("net.bridge.bridge-nf-call-ip6tables", "0", 0.2),
    ),
    routing=(
        "-6 route {} blackhole fd96::2/128",
        "-6 route {} unreachable fd96::/126",
        "-6 route {} prohibit fd02::3/128",
        "-6 route {} fd96::/16 via fd02::2 dev b0",
        "-6 route {} fd02::9/128 dev a0",
        "-6 route {} fd96::1/128 via fd01::2 dev a0",
        "-6 route {} 2001:db8::/32 via fd01::2 dev a0",
        "-6 route {} fd96::/13 nexthop via fd02::2 dev b0 weight 3 nexthop via fd01::2 dev a0 weight 1",
    ),
)  # fmt: skip


def palette_of(seed: int) -> Palette:
    """Return the family of a seed: four of each in turn, as many as there are kinds of rulesets."""
    return IPV6 if seed // 4 % 2 else IPV4

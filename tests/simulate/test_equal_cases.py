"""Sharing equal cases changes no answer: every trace is compared with one for which nothing is shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.load import load
from analyzer.model.conntrack import ConntrackEntry, ConntrackFlow
from analyzer.model.ip_set import IPSet
from analyzer.model.node import Document, InterfaceAddress, Link, Route, RoutePolicyRule, Sysctl
from analyzer.model.ruleset import Family
from analyzer.model.source import ObjectRef, SourceRef
from analyzer.parse.ipset_save import parse_ipset_save
from analyzer.parse.iptables_save import parse_iptables_save
from analyzer.simulate.host import Host, Network, PodSite
from analyzer.simulate.outcome import Outcome, Trace, Verdict
from analyzer.simulate.trace import FromHost, FromOutside, FromPod, Origin, Query, Simulator
from analyzer.snapshot import ClusterView
from tests.kernel.cases import DATA
from tests.kernel.generator import Generator

_HERE = SourceRef("test", 1)
_ROUTES = (
    ("unicast", "0.0.0.0/0", "10.2.0.254", "b0", "main"),
    ("unicast", "10.1.0.0/24", "", "a0", "main"),
    ("unicast", "10.2.0.0/24", "", "b0", "main"),
    ("unicast", "10.3.0.0/24", "", "br0", "main"),
)
_FURTHER_ROUTES = (
    ("blackhole", "10.3.0.8/32", "", "", "main"),
    ("unicast", "10.3.0.16/29", "10.2.0.253", "b0", "main"),
    ("unreachable", "10.1.0.0/28", "", "", "100"),
    ("unicast", "10.1.0.9/32", "10.1.0.2", "a0", "main"),
    ("unreachable", "10.2.0.0/24", "", "", "100"),
)
_FURTHER_RULES = ("from 10.3.0.9", "from 10.3.0.0/29", "fwmark 0x1/0x3", "not from 10.1.0.0/28")
_PORTS = (22, 53, 80, 443, 8080, 30080)
_DESTINATIONS = (
    "10.96.0.1", "10.96.0.2", "10.2.0.2", "10.2.0.3", "10.3.0.2", "10.3.0.3", "10.3.0.1", "8.8.8.8",
)  # fmt: skip
_CLIENTS = range(2, 24)
"""Last byte of the addresses of pods (10.3.0.0/24), and of clients outside (10.1.0.0/24)."""


def _host(
    rules: str,
    sets: dict[str, IPSet] | None = None,
    routes: Iterable[tuple[str, str, str, str, str]] = (),
    selectors: Iterable[str] = (),
    only: Iterable[tuple[str, str, str, str, str]] = _ROUTES,
    **settings: str,
) -> Host:
    """Return a node with pods behind the bridge br0, and two networks behind a0 and b0."""
    usual = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
    names = {name.replace("/", "."): value for name, value in (usual | settings).items()}
    listed = [Route(k, d, g, i, t, 0, _HERE) for k, d, g, i, t in (*routes, *only)]
    chosen = [RoutePolicyRule(50, text, "100", _HERE) for text in selectors]
    standard = [
        RoutePolicyRule(32000 + n, "from all", t, _HERE) for n, t in enumerate(("local", "main"))
    ]
    return Host(
        "host",
        {Family.IPV4: parse_iptables_save("iptables-save.txt", rules, Family.IPV4)},
        addresses=tuple(
            InterfaceAddress(f"{device}0", f"10.{number}.0.1", 24, _HERE)
            for number, device in enumerate(("a", "b", "br"), start=1)
        ),
        links=(Link("br0", frozenset({"UP"}), 1500, "bridge", "", True, 0, _HERE),),
        routes=tuple(listed),
        route_rules=(*chosen, *standard),
        sysctls={name: Sysctl(name, value, _HERE) for name, value in names.items()},
        sets=sets or {},
    )


def _network(host: Host) -> Network:
    pods = tuple(PodSite(f"p/{n}", "host", (f"10.3.0.{n}",)) for n in _CLIENTS)
    backend = PodSite("p/backend", "host", ("10.2.0.200",))
    return Network({"host": host}, (*pods, backend), pod_ranges=("10.3.0.0/24", "10.1.0.16/29"))


def _same(network: Network, queries: Iterable[Query]) -> list[Trace]:
    """Compare all traces with those that are made one by one; return them."""
    sharing, single = Simulator(network), Simulator(network, sharing=False)
    traces = []
    for query in queries:
        found, expected = sharing.trace(query), single.trace(query)
        assert msgspec.structs.replace(found, case=None, client="") == expected, query
        traces.append(found)
    return traces


def _shared(traces: list[Trace]) -> int:
    """Return how many traces were told from one that was made for another client."""
    return sum(t.case is not None and t.client != t.case.client for t in traces)


# --- random rulesets ---


def test_random_rulesets_get_the_same_answers() -> None:
    sets = parse_ipset_save("ipset-save.txt", (DATA / "ipsets.txt").read_text()).value
    traces: list[Trace] = []
    for seed in range(80):
        random = Random(seed)
        routes = [r for r in _FURTHER_ROUTES if random.random() < 0.15]
        selectors = [s for s in _FURTHER_RULES if random.random() < 0.1]
        filtered = {"net/ipv4/conf/all/rp_filter": random.choice("0012")}
        host = _host(Generator(seed).ruleset(), sets, routes, selectors, **filtered)
        traces += _same(_network(host), _drawn(random))
    assert _shared(traces) > len(traces) / 4


def _drawn(random: Random) -> Iterator[Query]:
    """Yield queries that many clients ask alike."""
    for _ in range(4):
        address, port = random.choice(_DESTINATIONS), random.choice(_PORTS)
        protocol = random.choice(("tcp", "tcp", "udp"))
        inside = random.random() < 0.6
        for number in random.sample(_CLIENTS, 12):
            origin: Origin = FromPod(f"p/{number}")
            if not inside:
                network = random.choice(("10.1.0", "10.1.0", "10.3.1"))
                origin = FromOutside(f"{network}.{number}", "host")
            yield Query(origin, address, port, protocol)
        yield Query(FromHost("host"), address, port, protocol)


# --- everything that tells clients apart ---

_NAT = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
{}
-A PREROUTING -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.2.0.200:8080
COMMIT
"""
_FORWARD = """\
*filter
:FORWARD ACCEPT [0:0]
{}
COMMIT
"""
_LONG = "\n".join(f"-A FORWARD -d 10.9.0.{n}/32 -j DROP" for n in range(40))
_SETS = """\
create some hash:ip
add some 10.3.0.8
create ranges hash:net
add ranges 10.3.0.8/30
create all list:set
add all some
"""
_NFT = [
    {"chain": {"family": "inet", "table": "t", "name": "c", "hook": "forward", "prio": 0, "type": "filter"}},
    {"set": {"family": "inet", "table": "t", "name": "s", "elem": ["10.3.0.8"]}},
]  # fmt: skip


def _nft_rule(right: object, left: object = None) -> Document:
    """Return the rule that drops what comes from somebody."""
    field = {"payload": {"protocol": "ip", "field": "saddr"}}
    match = {"op": "==", "left": left or field, "right": right}
    rule = {
        "family": "inet",
        "table": "t",
        "chain": "c",
        "expr": [{"match": match}, {"drop": None}],
    }
    return Document({"nftables": [*_NFT, {"rule": rule}]}, ObjectRef("nft.json", None, ()))


def _filter(rule: str) -> Host:
    return _host(
        _NAT.format("") + _FORWARD.format(rule), parse_ipset_save("ipset-save.txt", _SETS).value
    )


def _nat(rule: str) -> Host:
    return _host(_NAT.format(rule))


def _plain() -> Host:
    return _host(_NAT.format(""))


_APART = {
    "a source": _filter("-A FORWARD -s 10.3.0.8/32 -j DROP"),
    "a negated source": _filter("-A FORWARD ! -s 10.3.0.8/32 -j DROP"),
    "a block": _filter("-A FORWARD -s 10.3.0.8/30 -j DROP"),
    "a block with gaps": _filter("-A FORWARD -s 10.3.0.8/255.255.0.255 -j DROP"),
    "a range": _filter("-A FORWARD -m iprange --src-range 10.3.0.7-10.3.0.9 -j DROP"),
    "where a connection came from": _filter("-A FORWARD -m conntrack --ctorigsrc 10.3.0.8 -j DROP"),
    "where answers go": _filter("-A FORWARD -d 10.3.0.8/32 -j DROP"),
    "an index of many rules": _filter(f"{_LONG}\n-A FORWARD -d 10.3.0.8/32 -j DROP"),
    "a set": _filter("-A FORWARD -m set --match-set some src -j DROP"),
    "a set of blocks": _filter("-A FORWARD -m set --match-set ranges src -j DROP"),
    "a set of sets": _filter("-A FORWARD -m set --match-set all src -j DROP"),
    "a masquerade": _nat("-A POSTROUTING -s 10.3.0.8/29 -j MASQUERADE"),
    "a source that is kept": _nat("-A POSTROUTING -j SNAT --to-source 10.3.0.8-10.3.0.9"),
    "a mapped network": _nat("-A POSTROUTING -j NETMAP --to 10.2.0.0/24"),
    "a route back": _host(_NAT.format(""), routes=_FURTHER_ROUTES[:1]),
    "a route back to some": _host(_NAT.format(""), routes=_FURTHER_ROUTES[1:2]),
    "a rule of routing": _host(_NAT.format(""), None, _FURTHER_ROUTES[4:], ("from 10.3.0.8",)),
    "an address of the host": replace(
        _plain(), addresses=(*_plain().addresses, InterfaceAddress("lo", "10.3.0.8", 32, _HERE))
    ),
    "an address of the host in a network": replace(
        _plain(), addresses=(*_plain().addresses, InterfaceAddress("lo", "10.3.0.8", 24, _HERE))
    ),
    "an address of the Node object": replace(_plain(), internal_addresses=("10.3.0.8",)),
    "an element of nft": replace(_plain(), nft=_nft_rule("@s")),
    "a prefix of nft": replace(_plain(), nft=_nft_rule({"prefix": {"addr": "10.3.0.8", "len": 30}})),
    "a range of nft": replace(_plain(), nft=_nft_rule({"range": ["10.3.0.7", "10.3.0.9"]})),
    "bits that nft computes": replace(
        _plain(),
        nft=_nft_rule(8, {"&": [{"payload": {"protocol": "ip", "field": "saddr"}}, 0x0F]}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("host", _APART.values(), ids=_APART.keys())
def test_clients_are_told_apart_by(host: Host) -> None:
    network = _network(host)
    origins = [FromPod(f"p/{n}") for n in _CLIENTS]
    for order in (origins, origins[::-1], origins[6:] + origins[:6]):
        queries = [Query(o, "10.96.0.1", 80) for o in order]
        traces = _same(network, queries)
        told = {
            _told(query, o) for query, t in zip(queries, traces, strict=True) for o in t.outcomes
        }
        assert len(told) > 1, "these clients should not all be treated alike"


def _told(query: Query, outcome: Outcome) -> tuple[Verdict, str]:
    """Return what a client is told, in words that would be the same for all."""
    own = query.origin.pod.replace("p/", "10.3.0.") if isinstance(query.origin, FromPod) else ""
    return outcome.verdict, "own" if outcome.source == own else outcome.source


def test_clients_are_told_apart_by_earlier_connections() -> None:
    rules = """
-A PREROUTING -m recent --rcheck --name L --rsource -j ACCEPT
-A PREROUTING -d 10.96.0.1/32 -p tcp -m recent --set --name L -j DNAT --to-destination 10.2.0.200:80"""
    before = ConntrackEntry(
        "tcp", "ESTABLISHED", 9, ConntrackFlow("10.3.0.8", 4000, "10.96.0.1", 80),
        ConntrackFlow("10.2.0.200", 80, "10.3.0.8", 4000), frozenset(), _HERE,
    )  # fmt: skip
    network = _network(replace(_nat(rules), connections=(before,)))
    traces = _same(network, [Query(FromPod(f"p/{n}"), "10.96.0.1", 80) for n in _CLIENTS])
    assert len({o.verdict for t in traces for o in t.outcomes}) > 1


def test_clients_that_nothing_tells_apart_share_a_trace() -> None:
    traces = _same(
        _network(_plain()), [Query(FromPod(f"p/{n}"), "10.96.0.1", 80) for n in _CLIENTS]
    )
    assert _shared(traces) == len(_CLIENTS) - 1
    assert [t.outcomes[0].source for t in traces] == [f"10.3.0.{n}" for n in _CLIENTS]


def test_a_masqueraded_client_is_named_where_its_answer_is_translated_back() -> None:
    host = _nat("-A POSTROUTING -j MASQUERADE")
    traces = _same(_network(host), [Query(FromPod(f"p/{n}"), "10.96.0.1", 80) for n in _CLIENTS])
    assert _shared(traces) == len(_CLIENTS) - 1
    effects = [s.effect for s in traces[-1].outcomes[0].path]
    assert f"destination back to 10.3.0.{_CLIENTS[-1]}, a port of 32768-60999" in effects


_MULTICAST = "-A FORWARD -m addrtype --src-type MULTICAST -j DROP"


@pytest.mark.parametrize(
    ("network", "strangers"),
    [
        (_network(_filter(_MULTICAST)), ("198.51.100.9", "224.0.0.5")),
        (
            Network(
                {
                    "host": _host(
                        _NAT.format(""), only=[("unicast", "10.0.0.0/8", "", "br0", "main")]
                    )
                },
                (PodSite("p/backend", "host", ("10.2.0.200",)),),
            ),
            ("10.4.0.5", "10.3.0.100"),
        ),
        (_network(_plain()), ("10.1.0.5", "10.1.0.17")),
    ],
    ids=["what all hosts hold for special", "the subnet of a bridge", "a range of pods"],
)
def test_strangers_are_told_apart_by(network: Network, strangers: tuple[str, str]) -> None:
    queries = [Query(FromOutside(address, "host"), "10.96.0.1", 80) for address in strangers]
    first, second = (t.outcomes[0] for t in _same(network, queries))
    assert first.verdict is not second.verdict


def test_a_pod_and_a_stranger_with_an_address_beside_it_are_two_cases() -> None:
    origins: list[Origin] = [FromPod("p/5"), FromOutside("10.3.0.100", "host")]
    traces = _same(_network(_plain()), [Query(o, "10.96.0.1", 80) for o in origins])
    assert traces[0].outcomes[0].verdict is not traces[1].outcomes[0].verdict


# --- bundles ---


def test_samples_get_the_same_answers(samples: Path) -> None:
    bundles = sorted(samples.glob("*/bundle.tgz"))
    assert _shared(_of_bundles(bundles, 150)) > 200


def test_captures_get_the_same_answers(shared: Path) -> None:
    bundles = [
        b for b in sorted((shared / "captures").glob("*/bundle.tgz")) if "scale" not in b.parts[-2]
    ]
    assert _shared(_of_bundles(bundles, 60)) > 100


def _of_bundles(bundles: Iterable[Path], queries: int) -> list[Trace]:
    traces: list[Trace] = []
    for path in bundles:
        with open_bundle([path]) as bundle:
            cluster = load(bundle)
            traces += _same(cluster.network, _asked(cluster, Random(path.parent.name), queries))
    return traces


def _asked(cluster: ClusterView, random: Random, count: int) -> Iterator[Query]:
    """Yield queries from anywhere to anything that a Service or pod answers at."""
    origins: list[Origin] = [FromPod(p.name) for p in cluster.network.pods]
    origins += [FromHost(name) for name in cluster.network.hosts]
    origins += [FromOutside(f"198.51.100.{n}", h) for n in (7, 8, 9) for h in cluster.network.hosts]
    ends = [(a, p.port) for s in cluster.services.values() for a in s.cluster_ips for p in s.ports]
    own = [a for h in cluster.network.hosts.values() for a in h.internal_addresses]
    ends += [(a, p) for a in own for p in sorted(cluster.network.node_ports)]
    ends += [(a, 80) for p in cluster.network.pods for a in p.addresses]
    for address, port in random.sample(ends, min(len(ends), count // 10)):
        for origin in random.sample(origins, min(len(origins), 10)):
            yield Query(origin, address, port, random.choice(("tcp", "tcp", "udp")))

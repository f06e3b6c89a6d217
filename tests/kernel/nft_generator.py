"""Random rulesets of nft over everything that the simulator models of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from analyzer.model.ruleset import Family
from tests.kernel.palette import IPV4, Palette

_PORTS = (22, 53, 80, 443, 8080, 30080)
_DEVICES = ("a0", "b0", "br0", "lo", '"a*"')
_STATES = ("new", "established", "related", "invalid", "untracked")
_STATUSES = ("dnat", "snat", "seen-reply", "confirmed", "assured")
_ICMP_TYPES = ("echo-request", "echo-reply", "destination-unreachable")


@dataclass(frozen=True, slots=True)
class _Words:
    """What nft says of one family only."""

    ip: str
    following: str
    """The protocol in the header of IP."""

    ping: str
    address_type: str
    hosts: tuple[str, ...]
    blocks: tuple[str, ...]
    targets: tuple[str, ...]
    kinds: tuple[str, ...]
    rejections: tuple[str, ...]
    network: str
    services: str
    some: str
    """Elements of the set `hosts`."""

    spans: str
    """Elements of the set `nets`."""


_IPV4 = _Words(
    ip="ip",
    following="ip protocol",
    ping="icmp",
    address_type="ipv4_addr",
    hosts=(
        "10.1.0.2", "10.2.0.2", "10.2.0.3", "10.3.0.2", "10.3.0.3", "10.1.0.1", "10.2.0.1", "10.96.0.1",
    ),
    blocks=("10.1.0.0/24", "10.2.0.0/16", "10.96.0.0/12", "10.2.0.2-10.3.0.2"),
    targets=("10.2.0.2", "10.2.0.3", "10.3.0.2", "10.3.0.3", "10.1.0.2", "10.2.0.1"),
    kinds=("local", "unicast", "broadcast", "multicast"),
    rejections=(
        "", "with icmp host-prohibited", "with icmp net-unreachable", "with icmp admin-prohibited",
    ),
    network="10.1.0.0/24",
    services="10.96.0.0/13",
    some="10.1.0.2, 10.3.0.2, 10.2.0.1",
    spans="10.2.0.0/16, 10.3.0.1-10.3.0.2",
)  # fmt: skip
_IPV6 = _Words(
    ip="ip6",
    following="ip6 nexthdr",
    ping="icmpv6",
    address_type="ipv6_addr",
    hosts=(
        "fd01::2", "fd02::2", "fd02::3", "fd03::2", "fd03::3", "fd01::1", "fd02::1", "fd96::1",
    ),
    blocks=("fd01::/64", "fd02::/16", "fd96::/12", "fd02::2-fd03::2"),
    targets=("fd02::2", "fd02::3", "fd03::2", "fd03::3", "fd01::2", "fd02::1"),
    kinds=("local", "unicast", "anycast", "multicast", "unreachable", "blackhole", "prohibit"),
    rejections=(
        "", "with icmpv6 no-route", "with icmpv6 addr-unreachable", "with icmpv6 admin-prohibited",
    ),
    network="fd01::/64",
    services="fd96::/13",
    some="fd01::2, fd03::2, fd02::1",
    spans="fd02::/16, fd03::1-fd03::2",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Base:
    """A chain on a hook."""

    name: str
    kind: str
    hook: str
    priority: int
    policy: str = "accept"

    @property
    def text(self) -> str:
        return f"type {self.kind} hook {self.hook} priority {self.priority}; policy {self.policy};"


_BASES = (
    _Base("early", "filter", "prerouting", -310),
    _Base("marked", "filter", "prerouting", -140),
    _Base("to", "nat", "prerouting", -100),
    _Base("inwards", "filter", "input", 0),
    _Base("onwards", "filter", "forward", 0),
    _Base("later", "filter", "forward", 10),
    _Base("raw_out", "filter", "output", -310),
    _Base("routed", "route", "output", -150),
    _Base("to_out", "nat", "output", -100),
    _Base("outwards", "filter", "output", 0),
    _Base("leaving", "filter", "postrouting", -150),
    _Base("from", "nat", "postrouting", 100),
)


class NftGenerator:
    """Draws a table `t` of one family from one seed."""

    def __init__(self, seed: int, palette: Palette = IPV4) -> None:
        self._random = Random(seed)
        self._palette = palette
        self._words = _IPV4 if palette.family is Family.IPV4 else _IPV6

    def ruleset(self) -> str:
        """Return a ruleset as `nft -f` reads it."""
        chosen = [b for b in _BASES if self._random.random() < 0.6]
        lines = [f"table {self._choose((self._words.ip, 'inet'))} t {{", self._sets()]
        for base in chosen:
            users = [f"{base.name}{i}" for i in range(self._random.choice((0, 1, 2)))]
            # What is jumped to has to be declared before.
            for position, user in reversed(list(enumerate(users))):
                rules = self._rules(base, users[position + 1 :])
                lines.append(f"  chain {user} {{ {rules} }}")
            drops = base.kind == "filter" and self._random.random() < 0.1
            text = base.text.replace("accept", "drop") if drops else base.text
            lines.append(f"  chain {base.name} {{ {text} {self._rules(base, users)} }}")
        return "\n".join([*lines, "}", ""])

    def _sets(self) -> str:
        words, service = self._words, self._palette.service
        return f"""\
  set hosts {{ type {words.address_type}; elements = {{ {words.some} }}; }}
  set nets {{ type {words.address_type}; flags interval; elements = {{ {words.spans} }}; }}
  set ends {{
    type {words.address_type} . inet_proto . inet_service
    elements = {{ {words.hosts[1]} . tcp . 80, {service} . udp . 53, {service} . tcp . 80 }}
  }}
  set doors {{ type ifname; elements = {{ "a0", "lo" }}; }}
"""

    def _choose(self, values: tuple[str, ...]) -> str:
        return self._random.choice(values)

    def _rules(self, base: _Base, later: list[str]) -> str:
        count = self._random.choice((0, 1, 2, 3))
        return " ".join(f"{self._rule(base, later)};" for _ in range(count))

    def _rule(self, base: _Base, later: list[str]) -> str:
        draw = self._random.random()
        if draw < 0.08:
            return self._verdict_map(later)
        menu = self._menu(base)
        matches = [self._random.choice(menu)() for _ in range(self._random.choice((0, 1, 1, 2)))]
        if self._random.random() < 0.4:
            # nft takes one protocol in a rule.
            matches.append(self._random.choice(self._transports(base))())
        return " ".join([*matches, self._statement(base, later, " ".join(matches))])

    def _verdict_map(self, later: list[str]) -> str:
        to = [f"goto {self._random.choice(later)}", f"jump {later[0]}"] if later else ["accept"]
        verdicts = [*to, "accept", "return", "drop"]
        words, service = self._words, self._palette.service
        ip, host = words.ip, words.hosts[1]
        some = lambda: self._random.choice(verdicts)  # noqa: E731
        return self._random.choice(
            [
                f"{ip} saddr vmap {{ {words.network} : {some()}, {host} : {some()} }}",
                f"meta l4proto . th dport vmap {{ tcp . 80 : {some()}, udp . 53 : {some()} }}",
                f"{ip} daddr . meta l4proto vmap {{ {service} . tcp : {some()}, {host} . udp : {some()} }}",
                f"numgen random mod 4 vmap {{ 0 : {some()}, 1-2 : {some()}, 3 : {some()} }}",
                f"ct state vmap {{ new : {some()}, invalid : {some()} }}",
            ]
        )

    # --- matches ---

    def _menu(self, base: _Base) -> list[Callable[[], str]]:
        choose, words = self._random.choice, self._words
        ip, hosts, blocks = words.ip, words.hosts, (*words.hosts, *words.blocks)
        menu: list[Callable[[], str]] = [
            lambda: f"{ip} {choose(('saddr', 'daddr'))} {self._not()}{choose(blocks)}",
            lambda: f"{ip} saddr {self._not()}@{choose(('hosts', 'nets'))}",
            lambda: (
                f"{ip} daddr {self._not()}{{ {choose(hosts)}, {choose(hosts)}, {words.services} }}"
            ),
            lambda: f"meta mark {self._not()}{choose((0, 1, 2))}",
            lambda: f"meta mark & {choose((1, 2, 3))} {choose(('==', '!='))} {choose((0, 1))}",
            lambda: f"fib {choose(('saddr', 'daddr'))} type {self._not()}{choose(words.kinds)}",
        ]
        if base.priority > -200:
            menu += [
                lambda: f"ct state {self._not()}{{ {choose(_STATES)}, {choose(_STATES)} }}",
                lambda: f"ct state {self._not()}{choose(_STATES)}",
                lambda: f"ct status {self._not()}{choose(_STATUSES)}",
                lambda: f"ct mark {self._not()}{choose((0, 1, 2))}",
                lambda: f"ct direction {choose(('original', 'reply'))}",
                lambda: f"ct original {ip} daddr {self._not()}{choose(hosts)}",
                lambda: f"ct reply {ip} saddr {self._not()}{choose(hosts)}",
            ]
        if base.hook not in {"output", "postrouting"}:
            menu += [lambda: f"iifname {self._not()}{choose(_DEVICES)}", lambda: "iifname @doors"]
        if base.hook not in {"prerouting", "input"}:
            menu.append(lambda: f"oifname {self._not()}{choose(_DEVICES)}")
        return menu

    def _transports(self, base: _Base) -> list[Callable[[], str]]:
        choose, words = self._random.choice, self._words
        port = lambda: choose(_PORTS)  # noqa: E731
        menu: list[Callable[[], str]] = [
            lambda: f"{words.ip} daddr . meta l4proto . th dport {self._not()}@ends",
            lambda: (
                f"meta l4proto {self._not()}{choose(('tcp', 'udp', '{ tcp, sctp }', words.ping))}"
            ),
            lambda: f"{words.following} {self._not()}{choose(('tcp', 'udp'))}",
            lambda: f"{choose(('tcp', 'udp', 'sctp'))} dport {self._not()}{port()}",
            lambda: f"tcp dport {self._not()}{{ 22, 79-90, {port() + 1000} }}",
            lambda: (
                f"{choose(('tcp', 'udp'))} {choose(('sport', 'dport'))} {choose(('<', '>='))} {port()}"
            ),
            lambda: f"{words.ping} type {self._not()}{choose(_ICMP_TYPES)}",
        ]
        if base.priority > -200:
            menu.append(lambda: f"meta l4proto tcp ct original proto-dst {port()}")
        return menu

    def _not(self) -> str:
        return "!= " if self._random.random() < 0.25 else ""

    # --- statements ---

    def _statement(self, base: _Base, later: list[str], matches: str) -> str:
        draw = self._random.random()
        if later and draw < 0.3:
            return f"{self._choose(('jump', 'jump', 'goto'))} {self._random.choice(later)}"
        if draw < 0.4:
            return self._choose(("counter", "return", "log", "accept"))
        if draw < 0.55:
            return self._choose(
                (
                    "meta mark set 1",
                    "meta mark set meta mark | 2",
                    "meta mark set meta mark & 1",
                    "meta mark set meta mark ^ 3",
                    *(
                        ("ct mark set 1", "ct mark set meta mark", "meta mark set ct mark")
                        * (base.priority > -200)
                    ),
                )
            )
        if base.kind == "nat":
            return self._translation(base, matches)
        if base.priority < -200:
            return self._choose(("notrack", "notrack", "accept", "drop"))
        if base.kind == "filter" and base.hook in {"input", "forward", "output"}:
            resets = ("reject with tcp reset",) * ("tcp dport" in matches)
            return self._choose(
                ("drop", "accept", f"reject {self._choose(self._words.rejections)}", *resets)
            )
        return self._choose(("accept", "accept", "drop"))

    def _translation(self, base: _Base, matches: str) -> str:
        choose, words, palette = self._random.choice, self._words, self._palette
        ip, targets = words.ip, words.targets
        ported = any(f"{p} dport" in matches for p in ("tcp", "udp")) and "!=" not in matches
        if base.hook == "postrouting":
            plain = [
                "masquerade",
                "masquerade fully-random",
                f"snat {ip} to {palette.snat}",
                f"snat {ip} to {palette.snat_several}",
                "accept",
            ]
            with_ports = [f"snat {ip} to {palette.end(palette.snat, '4000-5000')}"]
            return choose([*plain, *(with_ports if ported else [])])
        plain = [f"dnat {ip} to {choose(targets)}", "accept"]
        with_port = [
            f"dnat {ip} to {palette.end(choose(targets), str(choose(_PORTS)))}",
            f"redirect to :{choose(_PORTS)}",
            (
                f"dnat {ip} addr . port to numgen random mod 2 map {{ 0 : {choose(targets)} . 80,"
                f" 1 : {choose(targets)} . 81 }}"
            ),
        ]
        return choose(plain + with_port if ported else plain)

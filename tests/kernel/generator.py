"""Random rulesets over everything that the simulator models, and random packets for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.kernel import frames
from tests.kernel.lab import Probe
from tests.kernel.palette import IPV4, Palette

_PORTS = (22, 53, 80, 81, 443, 8080, 30080)
_DEVICES = ("a0", "b0", "br0", "lo", "a+", "b+", "vp1")
_LISTS = ("known", "others")
_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "DNAT", "SNAT")
_WITH_PORTS = frozenset({"tcp", "udp", "sctp"})
_BIT_CHANGES = ("--set-mark", "--or-mark", "--and-mark", "--xor-mark")
_FLAGS = (frames.SYN, frames.ACK, frames.SYN | frames.ACK)
_HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
_WITHOUT_IN = {"OUTPUT", "POSTROUTING"}
_WITHOUT_OUT = {"PREROUTING", "INPUT"}


@dataclass(frozen=True, slots=True)
class _Chain:
    name: str
    hooks: frozenset[str]
    """Hooks from which it may be reached, so that only what is legal there is put in."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Settings and routes that are not those of every ruleset."""

    sysctls: dict[str, str]
    hairpin: bool
    routing: tuple[str, ...]
    """Arguments of `ip`, with a place for `add` or `del`."""


class Generator:
    """Draws rulesets and packets of one family from one seed."""

    def __init__(self, seed: int, palette: Palette = IPV4) -> None:
        self._random = Random(seed)
        self._palette = palette
        self._blocks = (*palette.addresses, *palette.blocks)
        self._protocols = ("tcp", "udp", "sctp", palette.ping)

    def ruleset(self) -> str:
        """Return a ruleset as iptables-restore reads it."""
        return "".join(self._table(name) for name in _HOOKS)

    def surroundings(self) -> Surroundings:
        """Return what else of the host decides."""
        sysctls = {
            name: value
            for name, value, chance in self._palette.settings
            if self._random.random() < chance
        }
        several = self._random.randint(1, 5) if self._random.random() < 0.25 else 0
        chosen = self._random.sample(self._palette.routing, several)
        return Surroundings(sysctls, self._random.random() < 0.5, tuple(chosen))

    def probe(self, source_port: int) -> Probe:
        """Return a packet from any side."""
        palette = self._palette
        side = self._random.choice([*palette.sources, "a", "p1", "host"])
        protocol = self._drawn((6, 3, 1, 1))
        source = self._random.choice(palette.sources[side])
        destinations = [*palette.addresses, palette.service, palette.service]
        if source == palette.loopback:
            destinations = [*palette.from_loopback]
        destination = self._random.choice(
            [d for d in destinations if d != source or side == "host"]
        )
        port = self._random.choice(_PORTS)
        flags = self._random.choices(_FLAGS, (12, 1, 1))[0] if protocol == "tcp" else frames.SYN
        return Probe(side, source, destination, port, protocol, source_port, flags)

    def _drawn(self, weights: tuple[int, ...]) -> str:
        return self._random.choices(self._protocols, weights)[0]

    # --- tables and chains ---

    def _table(self, table: str) -> str:
        chains = [_Chain(hook, frozenset({hook})) for hook in _HOOKS[table]]
        users = self._user_chains(table)
        lines = [f"*{table}"]
        lines += [f":{c.name} {self._policy(table)} [0:0]" for c in chains]
        lines += [f":{c.name} - [0:0]" for c in users]
        for chain in chains:
            lines += self._rules(table, chain, users, self._random.choice([0, 1, 2, 3]))
        for position, chain in enumerate(users):
            lines += self._rules(
                table, chain, users[position + 1 :], self._random.choice([0, 1, 2, 4])
            )
        return "\n".join([*lines, "COMMIT", ""])

    def _policy(self, table: str) -> str:
        drops = self._random.random() < (0.15 if table == "filter" else 0.03)
        return "DROP" if drops else "ACCEPT"

    def _user_chains(self, table: str) -> list[_Chain]:
        if table == "nat":
            ways = (("d", frozenset({"PREROUTING", "OUTPUT"})), ("s", frozenset({"POSTROUTING"})))
            return [_Chain(f"{way}{i}", hooks) for i in range(4) for way, hooks in ways]
        return [_Chain(f"u{i}", frozenset(_HOOKS[table])) for i in range(5)]

    def _rules(self, table: str, chain: _Chain, later: list[_Chain], count: int) -> list[str]:
        reachable = [c for c in later if chain.hooks <= c.hooks]
        return [
            f"-A {chain.name} {self._rule(table, chain, reachable)}".strip() for _ in range(count)
        ]

    def _rule(self, table: str, chain: _Chain, reachable: list[_Chain]) -> str:
        protocol = self._drawn((6, 5, 1, 2)) if self._random.random() < 0.5 else ""
        target = self._target(table, chain, reachable, protocol)
        return f"{self._matches(table, chain, protocol)} {target}"

    # --- matches ---

    def _matches(self, table: str, chain: _Chain, protocol: str) -> str:
        own = [f"-p {protocol}"] if protocol else []
        own += self._some(0.35, lambda: f"{self._not()}-s {self._random.choice(self._blocks)}")
        own += self._some(0.35, lambda: f"{self._not()}-d {self._random.choice(self._blocks)}")
        if not chain.hooks & _WITHOUT_IN:
            own += self._some(0.2, lambda: f"{self._not()}-i {self._random.choice(_DEVICES)}")
        if not chain.hooks & _WITHOUT_OUT:
            own += self._some(0.2, lambda: f"{self._not()}-o {self._random.choice(_DEVICES)}")
        own += self._some(0.3, lambda: self._of_ports(protocol)) if protocol else []
        menu = self._extensions(table, chain)
        own += self._some(0.4, self._random.choice(menu))
        own += self._some(0.15, self._random.choice(menu))
        return " ".join(own)

    def _some(self, chance: float, make: Callable[[], str]) -> list[str]:
        return [make()] if self._random.random() < chance else []

    def _not(self) -> str:
        return "! " if self._random.random() < 0.25 else ""

    def _of_ports(self, protocol: str) -> str:
        if protocol == self._palette.ping:
            match = self._palette.ping_match.format(self._not())
            return f"{match} {self._random.choice(self._palette.ping_types)}"
        port = self._random.choice(_PORTS)
        options = [
            f"-m {protocol} {self._not()}--dport {port}",
            f"-m {protocol} {self._not()}--dport {port}:{port + 400}",
            f"-m {protocol} {self._not()}--sport 1024:40000",
            f"-m multiport {self._not()}--dports 22,{port}:{port + 10},8080",
            f"-m multiport {self._not()}--ports {port},53",
            f"-m multiport {self._not()}--sports 1000:39999,{port}",
        ]
        if protocol == "tcp":
            options += [
                "-m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
                f"-m tcp {self._not()}--tcp-flags ALL SYN,ACK",
                "-m tcp ! --syn",
                f"-m tcp {self._not()}--tcp-flags ACK ACK",
            ]
        return self._random.choice(options)

    def _extensions(self, table: str, chain: _Chain) -> list[Callable[[], str]]:
        choose, palette = self._random.choice, self._palette
        menu: list[Callable[[], str]] = [
            lambda: f"-m mark {self._not()}--mark {choose((1, 2, 3)):#x}/{choose((1, 3, 255)):#x}",
            lambda: f"-m addrtype {self._not()}--dst-type {choose(palette.kinds)}",
            lambda: f"-m addrtype {self._not()}--src-type {choose(palette.kinds)}",
            lambda: f"-m iprange {self._not()}--dst-range {palette.ranges[0]}",
            lambda: f"-m iprange {self._not()}--src-range {palette.ranges[1]}",
            lambda: "-m set {}--match-set {} {}".format(self._not(), *choose(palette.sets)),
            lambda: "-m comment --comment \"a 'b' -j DROP\"",
            lambda: (
                f"-m statistic --mode random {self._not()}--probability {choose((0.25, 0.5, 0.333))}"
            ),
            lambda: "-m statistic --mode nth --every 2 --packet 0",
            lambda: f"-m statistic --mode nth {self._not()}--every 3 --packet 2",
            lambda: f"-m physdev {self._not()}--physdev-in {choose(('vp1', 'vp+'))}",
            lambda: f"-m physdev {self._not()}--physdev-is-in",
            lambda: f"-m recent --name {choose(_LISTS)} --set",
            lambda: f"-m recent --name {choose(_LISTS)} {self._not()}--rcheck",
            lambda: f"-m recent --name {choose(_LISTS)} {self._not()}--update --seconds 60",
        ]
        if not chain.hooks & _WITHOUT_IN:
            menu.append(lambda: f"-m addrtype {self._not()}--dst-type LOCAL --limit-iface-in")
        if not chain.hooks & _WITHOUT_OUT:
            menu.append(lambda: f"-m addrtype {self._not()}--src-type LOCAL --limit-iface-out")
        if table != "raw":
            menu += [
                lambda: (
                    f"-m conntrack {self._not()}--ctstate {','.join(self._random.sample(_STATES, 2))}"
                ),
                lambda: f"-m state {self._not()}--state {choose(_STATES[:4])}",
                lambda: f"-m conntrack {self._not()}--ctorigdst {choose(self._blocks)}",
                lambda: f"-m conntrack {self._not()}--ctreplsrc {choose(self._blocks)}",
                lambda: (
                    f"-m conntrack --ctorigdstport {choose(_PORTS)} --ctproto {choose((6, 17))}"
                ),
                lambda: (
                    f"-m conntrack {self._not()}--{choose(('ctorigdstport', 'ctreplsrcport'))} 53:443"
                ),
                lambda: f"-m conntrack {self._not()}--ctorigsrc {choose(self._blocks)}",
                lambda: f"-m conntrack {self._not()}--ctrepldst {choose(self._blocks)}",
                lambda: (
                    f"-m conntrack --ctstate {choose(_STATES)} {self._not()}--ctorigdst {choose(self._blocks)}"
                ),
                lambda: f"-m conntrack --ctdir {choose(('ORIGINAL', 'REPLY'))}",
                lambda: (
                    f"-m conntrack {self._not()}--ctstatus {choose(('CONFIRMED', 'SEEN_REPLY', 'ASSURED'))}"
                ),
                lambda: f"-m connmark {self._not()}--mark {choose((1, 2, 3)):#x}/0x3",
            ]
        if chain.hooks == {"FORWARD"}:
            menu += [
                lambda: f"-m physdev {self._not()}--physdev-is-bridged",
                lambda: f"-m physdev {self._not()}--physdev-is-out",
            ]
        return menu

    # --- targets ---

    def _target(self, table: str, chain: _Chain, reachable: list[_Chain], protocol: str) -> str:
        draw = self._random.random()
        if reachable and draw < 0.35:
            goto = self._random.random() < 0.2
            return f"{'-g' if goto else '-j'} {self._random.choice(reachable).name}"
        if draw < 0.42:
            return self._random.choice(["-j RETURN", "-j LOG", "-j NFLOG --nflog-group 9", ""])
        return self._random.choice(self._menu(table, chain, protocol))()

    def _menu(self, table: str, chain: _Chain, protocol: str) -> list[Callable[[], str]]:
        choose = self._random.choice
        marks: list[Callable[[], str]] = [
            lambda: (
                f"-j MARK --set-xmark {choose((0, 1, 2, 3)):#x}/{choose((1, 3, 0xFFFFFFFF)):#x}"
            ),
            lambda: f"-j MARK {choose(_BIT_CHANGES)} {choose((1, 2, 3)):#x}",
        ]
        if table == "raw":
            return [
                lambda: "-j ACCEPT",
                lambda: "-j DROP",
                lambda: "-j CT --notrack",
                lambda: "-j NOTRACK",
                lambda: "-j TRACE",
                *marks,
            ]
        marks += [
            lambda: f"-j CONNMARK --set-xmark {choose((1, 2)):#x}/0x3",
            lambda: "-j CONNMARK --save-mark --nfmask 0x3 --ctmask 0xff",
            lambda: "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0x3",
            lambda: f"-j CONNMARK {choose(_BIT_CHANGES)} {choose((1, 2, 3)):#x}",
            lambda: f"-j CONNMARK --{choose(('save', 'restore'))}-mark",
        ]
        if table == "nat":
            return self._translations(chain, with_ports=protocol in _WITH_PORTS) + marks[:2]
        verdicts: list[Callable[[], str]] = [lambda: "-j ACCEPT", lambda: "-j DROP"]
        if table == "mangle":
            return [*marks, *marks, lambda: "-j ACCEPT", lambda: choose(("-j DROP", "-j ACCEPT"))]
        kinds = (*self._palette.rejections, *(["tcp-reset"] * 7 if protocol == "tcp" else []))
        return [
            *verdicts,
            lambda: f"-j REJECT --reject-with {choose(kinds)}",
            *marks[:1],
        ]

    def _translations(self, chain: _Chain, *, with_ports: bool) -> list[Callable[[], str]]:
        choose, palette = self._random.choice, self._palette
        if chain.hooks & {"PREROUTING", "OUTPUT"}:
            return self._destinations(with_ports=with_ports)
        if chain.hooks == {"INPUT"}:
            return [
                *(lambda to=to: f"-j SNAT --to-source {to}" for to in palette.host_sources),
                lambda: "-j ACCEPT",
            ]
        plain: list[Callable[[], str]] = [
            lambda: "-j MASQUERADE",
            lambda: "-j MASQUERADE --random-fully",
            lambda: f"-j SNAT --to-source {palette.snat}",
            lambda: f"-j SNAT --to-source {palette.snat_several}",
            lambda: f"-j NETMAP --to {palette.netmap_from}",
            lambda: "-j ACCEPT",
        ]
        with_port: list[Callable[[], str]] = [
            lambda: f"-j SNAT --to-source {palette.end(palette.snat, '4000-5000')}",
            lambda: (
                f"-j SNAT --to-source {palette.snat} {choose(('--random', '--random-fully', '--persistent'))}"
            ),
            lambda: f"-j MASQUERADE --to-ports 4000-5000{choose(('', ' --random'))}",
        ]
        return plain + with_port if with_ports else plain

    def _destinations(self, *, with_ports: bool) -> list[Callable[[], str]]:
        choose, palette = self._random.choice, self._palette
        plain: list[Callable[[], str]] = [
            lambda: f"-j DNAT --to-destination {choose(palette.targets)}",
            lambda: f"-j DNAT --to-destination {palette.several}",
            lambda: f"-j DNAT --to-destination {palette.several} --persistent",
            lambda: f"-j NETMAP --to {palette.netmap_to}",
            lambda: "-j ACCEPT",
        ]
        if not with_ports:
            return plain

        def to(port: str) -> str:
            return f"-j DNAT --to-destination {palette.end(choose(palette.targets), port)}"

        ported: list[Callable[[], str]] = [
            lambda: to(str(choose(_PORTS))),
            lambda: to("8000-8010"),
            lambda: f"{to('8000-8010')} --random",
            lambda: f"{to('8000-8010')}/75",
            lambda: f"-j DNAT --to-destination :{choose(_PORTS)}",
            lambda: f"-j REDIRECT --to-ports {choose(_PORTS)}",
            lambda: f"-j REDIRECT --to-ports 8000-8005{choose(('', ' --random'))}",
        ]
        return plain + ported

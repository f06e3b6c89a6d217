"""Connections to Services that are worth a try: what is expected to be forwarded, from each node and to each port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from analyzer.language import _
from analyzer.model.address import family_of
from analyzer.model.forwarding import Action, Clients, Entry, FrontendKind
from analyzer.model.ruleset import Rule, Ruleset
from analyzer.simulate.query import FromHost, FromOutside, FromPod, Origin, Query

_OUTSIDE = {4: "198.18.0.1", 6: "2001:2::1"}
"""A client outside: ranges for benchmarks (RFC 2544, RFC 5180), which no cluster uses."""

_BUILT_IN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})


@dataclass(frozen=True, slots=True)
class Site:
    """A node from which connections start."""

    name: str
    pods: tuple[tuple[str, tuple[str, ...]], ...]
    """Running pods with a network of their own: `namespace/name` and addresses."""

    addresses: tuple[str, ...]
    """The node's own addresses, at which node ports answer."""

    entries: tuple[Entry, ...]
    """What kube-proxy should serve there."""

    rulesets: tuple[Ruleset, ...]

    @property
    def foreign_rules(self) -> Iterator[Rule]:
        """The rules outside of kube-proxy's and kubelet's chains, the jumps into these left out."""
        for ruleset in self.rulesets:
            for table in ruleset.tables.values():
                for chain in table.chains.values():
                    if not chain.name.startswith("KUBE-"):
                        yield from (
                            r for r in chain.rules if not (r.target or "").startswith("KUBE-")
                        )

    @property
    def untouched(self) -> bool:
        """True where nobody but kube-proxy and kubelet decides over packets: no foreign rule, no policy DROP."""
        policies = (
            chain.policy
            for ruleset in self.rulesets
            for table in ruleset.tables.values()
            for chain in table.chains.values()
            if chain.name in _BUILT_IN
        )
        return all(p in {None, "ACCEPT"} for p in policies) and not any(self.foreign_rules)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection to try."""

    site: str
    entry: Entry
    query: Query
    client: str
    """Its address, or the name of the node that it is on."""

    told: str
    """Who connects."""

    named: bool
    """True where a foreign rule names the address or port."""

    @property
    def destination(self) -> str:
        """Such as `10.96.0.10:53/UDP`."""
        query = self.query
        return f"{query.address}:{query.port}/{query.protocol.upper()}"


def in_turn(by_site: Sequence[Sequence[Attempt]]) -> list[Attempt]:
    """Return the attempts of all sites in turn, those first that a foreign rule names."""
    mixed = [a for rank in zip_longest(*by_site) for a in rank if a is not None]
    return sorted(mixed, key=lambda a: not a.named)


def attempts(site: Site) -> Iterator[Attempt]:
    """Yield what is tried from a site."""
    selectors = _Selectors.of(site.foreign_rules)
    for entry in site.entries:
        if entry.action is not Action.FORWARD or entry.alternatives or not entry.targets:
            continue
        named = selectors.name(entry)
        for address in _addresses(site, entry):
            for origin, client, told in _origins(site, entry, address):
                frontend = entry.frontend
                query = Query(origin, address, frontend.port, frontend.protocol.value.lower())
                yield Attempt(site.name, entry, query, client, told, named)


@dataclass(frozen=True, slots=True)
class _Selectors:
    """The single addresses and ports that foreign rules test."""

    addresses: frozenset[str]
    ports: frozenset[str]

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> _Selectors:
        addresses: set[str] = set()
        ports: set[str] = set()
        for rule in rules:
            for flag in ("-s", "-d"):
                address, _, length = (rule.value(flag) or "").partition("/")
                if length in _SINGLE:
                    addresses.add(address)
            for flag in ("--dport", "--dports"):
                ports.update((rule.value(flag) or "").split(","))
        return cls(frozenset(addresses), frozenset(ports - {""}))

    def name(self, entry: Entry) -> bool:
        """Tell whether a rule tests the frontend or an endpoint of the entry."""
        if entry.frontend.address in self.addresses or str(entry.frontend.port) in self.ports:
            return True
        return any(
            e.address in self.addresses or str(e.port) in self.ports for e in entry.endpoints
        )


_SINGLE = frozenset({"32", "128", "255.255.255.255"})


def _addresses(site: Site, entry: Entry) -> Iterator[str]:
    if entry.frontend.kind is not FrontendKind.NODE_PORT:
        yield entry.frontend.address
        return
    families = {family_of(e.address) for e in entry.endpoints}
    yield from [a for a in site.addresses if family_of(a) in families][:1]


def _origins(site: Site, entry: Entry, address: str) -> Iterator[tuple[Origin, str, str]]:
    if entry.frontend.kind is not FrontendKind.CLUSTER_IP:
        if entry.clients is not Clients.INTERNAL and entry.source_ranges is None:
            version = 6 if ":" in address else 4
            yield (
                FromOutside(_OUTSIDE[version], site.name),
                "",
                _("from outside, through {site}", site=site.name),
            )
        return
    own = {e.address for e in entry.endpoints}
    family = family_of(address)
    for name, addresses in site.pods:
        used = next((a for a in addresses if family_of(a) is family), "")
        if used and own.isdisjoint(addresses):
            yield FromPod(name), used, _("from pod {name} on {site}", name=name, site=site.name)
            break
    yield FromHost(site.name), site.name, _("from {site} itself", site=site.name)

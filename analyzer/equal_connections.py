"""Connections to Services that are one case: nothing but kube-proxy's own rules tells their addresses and ports apart.

What is wrong in kube-proxy's rules themselves shows where they are compared with what is expected.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from analyzer.model.forwarding import Endpoint, Entry, FrontendKind
from analyzer.model.node import Document
from analyzer.model.ruleset import IPTABLES_TABLES, Family, Rule
from analyzer.simulate.address import number
from analyzer.simulate.atlas import Atlas
from analyzer.simulate.match.ports import port_range
from analyzer.simulate.naming import Naming, named_by_host, named_by_rules, named_in, united
from analyzer.simulate.nft.naming import texts_in
from analyzer.simulate.packet import Ports

_KUBE_PROXY = frozenset({("ip", "kube-proxy"), ("ip6", "kube-proxy")})


class Likeness(NamedTuple):
    """What tells one connection from another."""

    frontend: int
    """The same for clients and frontends that nothing tells apart."""

    endpoints: Mapping[Endpoint, int]
    """The same for endpoints that nothing tells apart."""


class EqualConnections:
    """Tells which connections are one case."""

    def __init__(self, atlas: Atlas, foreign: Mapping[str, Iterable[Rule]]) -> None:
        """Learn what is named by `foreign`, the rules that are not kube-proxy's by node, and by all hosts."""
        self._atlas = atlas
        machines = atlas.machines.values()
        rules = {name: tuple(found) for name, found in foreign.items()}
        texts = [t for m in machines if m.host.nft for t in _foreign_texts(m.host.nft)]
        self._naming = united(
            [named_by_rules(rules.get(m.name, ()), m.host.sets) for m in machines]
            + [named_by_host(m, family) for m in machines for family in Family]
            + [named_in(texts), named_in(atlas.network.pod_ranges)]
        )
        values = {v for listed in rules.values() for rule in listed for v in rule.values}
        self._ports = tuple(_ports_in((*values, *texts)))
        self._addresses: dict[str, Hashable] = {}
        self._endpoints: dict[Endpoint, int] = {}
        self._numbers: dict[Hashable, int] = {}

    def likeness(self, client: str, entry: Entry, address: str) -> Likeness:
        """Return what tells a connection of a client (its address, or what else it is) to an entry apart."""
        frontend = entry.frontend
        node_port = frontend.kind is FrontendKind.NODE_PORT
        asked = (
            self._address(client),
            address if node_port else self._address(address),
            self._port(frontend.port),
            frontend.kind,
            frontend.protocol,
            entry.masquerade,
            entry.affinity_seconds is None,
        )
        return Likeness(self._number(asked), {e: self._endpoint(e) for e in entry.endpoints})

    def _number(self, case: Hashable) -> int:
        return self._numbers.setdefault(case, len(self._numbers))

    def _endpoint(self, endpoint: Endpoint) -> int:
        found = self._endpoints.get(endpoint)
        if found is None:
            pod = self._atlas.pods.get(number(endpoint.address) or -1)
            place = None if pod is None else (pod.host, pod.running)
            case = (place, self._address(endpoint.address), self._port(endpoint.port))
            found = self._endpoints[endpoint] = self._number(case)
        return found

    def _address(self, text: str) -> Hashable:
        found = self._addresses.get(text)
        if found is None:
            found = self._addresses[text] = _likeness(text, self._naming)
        return found

    def _port(self, port: int) -> Hashable:
        return tuple(low <= port <= high for low, high in self._ports)


def _likeness(text: str, naming: Naming) -> Hashable:
    """Return the address itself where it is named, else what the tests say of it."""
    address = number(text)
    if address is None or naming.computes or address in naming.singles:
        return text
    return tuple(test.holds(address) for test in naming.tests)


def _ports_in(texts: Iterable[str]) -> set[Ports]:
    parts = (part for text in texts for part in text.split(","))
    return {found for part in parts if (found := port_range(part)) is not None}


def _foreign_texts(document: Document) -> list[str]:
    """Return all strings and numbers in what nft lists beside the tables of iptables and kube-proxy."""
    items: Any = document.find("nftables")
    listed = items if isinstance(items, list) else []
    contents = (c for item in listed if isinstance(item, dict) for c in item.values())
    return [
        text
        for content in contents
        if isinstance(content, dict) and _table(content) not in IPTABLES_TABLES | _KUBE_PROXY
        for text in texts_in(content)
    ]


def _table(content: Mapping[str, Any]) -> tuple[str, str]:
    return str(content.get("family", "")), str(content.get("table", content.get("name", "")))

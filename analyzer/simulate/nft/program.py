"""Tables of nft with their chains: rules are made ready when a packet first reaches their chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from analyzer.model.node import Document
from analyzer.model.ruleset import IPTABLES_TABLES, Family
from analyzer.model.source import Ref
from analyzer.simulate.machine import Machine
from analyzer.simulate.naming import Naming, united
from analyzer.simulate.nft.naming import Names
from analyzer.simulate.nft.rule import RuleCompiler, Slot
from analyzer.simulate.packet import Hook, Packet
from analyzer.simulate.rule import CompiledRule
from analyzer.simulate.table import BaseChain

_FAMILIES = {Family.IPV4: frozenset({"ip", "inet"}), Family.IPV6: frozenset({"ip6", "inet"})}
_PRIORITIES = {
    "raw": -300,
    "mangle": -150,
    "dstnat": -100,
    "filter": 0,
    "security": 50,
    "srcnat": 100,
}


class NftProgram:
    """The tables of a `nft -j list ruleset` that see packets of one family, iptables' own left out."""

    def __init__(self, document: Document, family: Family, machine: Machine) -> None:
        items = document.find("nftables")
        tables: dict[tuple[str, str], dict[str, list[Item]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for index, entry in enumerate(items if isinstance(items, list) else []):
            for kind, found in entry.items() if isinstance(entry, dict) else ():
                if isinstance(found, dict):
                    ref = document.ref.at("nftables", index, kind)
                    key = (
                        str(found.get("family", "")),
                        str(found.get("table", found.get("name", ""))),
                    )
                    tables[key][kind].append(Item(found, ref))
        self._tables = [
            NftTable(f"{kind} {name}", document.ref.path, content, machine)
            for (kind, name), content in tables.items()
            if kind in _FAMILIES[family] and (kind, name) not in IPTABLES_TABLES
        ]

    def base_chains(self, hook: Hook) -> list[BaseChain]:
        """Return what hangs on a hook."""
        return [base for table in self._tables for base in table.base_chains(hook)]


class Item:
    """One entry of the list, with its place."""

    __slots__ = ("content", "source")

    def __init__(self, content: dict[str, Any], source: Ref) -> None:
        self.content = content
        self.source = source


class NftTable:
    """One table."""

    def __init__(
        self, name: str, path: str, content: dict[str, list[Item]], machine: Machine
    ) -> None:
        self.name = name
        self.path = path
        self._declared = {str(i.content.get("name")): i for i in content.get("chain", ())}
        self._rules: dict[str, list[Item]] = defaultdict(list)
        for item in content.get("rule", ()):
            self._rules[str(item.content.get("chain"))].append(item)
        named = (*content.get("set", ()), *content.get("map", ()))
        elements = {str(i.content.get("name")): _elements(i) for i in named}
        self.compiler = RuleCompiler(machine, elements, frozenset(self._declared))
        self.names = Names(elements)
        self._chains: dict[str, NftChain] = {}

    def chain(self, name: str) -> NftChain | None:
        """Return a chain, or None where there is none of that name."""
        if name not in self._chains:
            declared = self._declared.get(name)
            if declared is None:
                return None
            self._chains[name] = NftChain(self, declared, self._rules.get(name, []))
        return self._chains[name]

    def shows_on_list(self, names: frozenset[str], packet: Packet) -> bool:
        """Tell whether a client is on a list of `-m recent`, which nft does not have."""
        del names, packet
        return False

    def base_chains(self, hook: Hook) -> list[BaseChain]:
        """Return the chains of the table that hang on a hook."""
        return [
            BaseChain(
                _priority(i.content.get("prio")),
                i.content.get("type") == "nat",
                self,
                name,
                self.path,
                reroutes=i.content.get("type") == "route",
            )
            for name, i in self._declared.items()
            if str(i.content.get("hook", "")).upper() == hook.value
        ]


class NftChain:
    """One chain."""

    may_go_on = False

    def __init__(self, table: NftTable, declared: Item, rules: Sequence[Item]) -> None:
        content = declared.content
        self.name = str(content.get("name"))
        policy = str(content.get("policy", "accept")).upper()
        self.policy = policy if "hook" in content else None
        self.source = declared.source
        self._table = table
        self._rules = rules

    @property
    def empty(self) -> bool:
        """True where it has no rule."""
        return not self._rules

    @cached_property
    def naming(self) -> Naming:
        """The addresses that its rules name."""
        return united(self._table.names.named_by(i.content.get("expr")) for i in self._rules)

    def candidates(self, packet: Packet, *, indexed: bool) -> Sequence[CompiledRule]:
        """Return the rules, in order, that may match a packet; of a verdict map the elements that may."""
        return [rule for slot in self._slots for rule in slot.candidates(packet, indexed=indexed)]

    @cached_property
    def _slots(self) -> tuple[Slot, ...]:
        compiler = self._table.compiler
        return tuple(
            slot
            for item in self._rules
            for slot in compiler.slots(item.content.get("expr"), item.source)
        )


def _elements(item: Item) -> list[Any]:
    found = item.content.get("elem")
    return found if isinstance(found, list) else []


def _priority(item: object) -> int:
    return item if isinstance(item, int) else _PRIORITIES.get(str(item), 0)

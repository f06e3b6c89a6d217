"""What a walk needs of a table, whether iptables or nft wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from analyzer.model.source import Ref
from analyzer.simulate.naming import Naming
from analyzer.simulate.packet import Packet
from analyzer.simulate.rule import CompiledRule


class ExecutableChain(Protocol):
    """A chain that a packet can be walked through."""

    @property
    def name(self) -> str:
        """Name as the table has it."""

    @property
    def policy(self) -> str | None:
        """`ACCEPT` or `DROP` of a base chain; None for any other."""

    @property
    def source(self) -> Ref:
        """Its declaration."""

    @property
    def may_go_on(self) -> bool:
        """True where the dump was cut off and further rules may have been lost."""

    @property
    def empty(self) -> bool:
        """True where it has no rule."""

    @property
    def naming(self) -> Naming:
        """The addresses that its rules name."""

    def candidates(self, packet: Packet, *, indexed: bool) -> Sequence[CompiledRule]:
        """Return the rules, in order, that may match a packet: a superset of those that do.

        `indexed`: False for all rules, which gives the same answers.
        """


class ExecutableTable(Protocol):
    """A table that a packet can be walked through."""

    @property
    def name(self) -> str:
        """`nat`, or `ip kube-proxy` for a table of nft."""

    @property
    def path(self) -> str:
        """The file that it was read from."""

    def chain(self, name: str) -> ExecutableChain | None:
        """Return a chain, or None where there is none of that name."""

    def shows_on_list(self, names: frozenset[str], packet: Packet) -> bool:
        """Tell whether something else in the bundle shows that a client is on a list of `-m recent`."""


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that hangs on a hook, with its priority there."""

    priority: int
    translates: bool
    """True for a chain of type nat, which sees the first packet of a connection only."""

    table: ExecutableTable | None
    """None where the dump was cut off before the table."""

    chain: str
    path: str
    """The file it was read from."""

    reroutes: bool = False
    """True where a packet of the host is routed again when the chain has changed its mark."""

    @property
    def passes_all(self) -> bool:
        """True where it plainly lets everything pass: no rule, and no other policy than ACCEPT."""
        if self.table is None:
            return False
        chain = self.table.chain(self.chain)
        if chain is None:
            return True
        return chain.empty and not chain.may_go_on and chain.policy in {None, "ACCEPT"}

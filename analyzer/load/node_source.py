"""The files of one node: which parser reads which, once, when asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from analyzer.language import _
from analyzer.model.conntrack import ConntrackEntry
from analyzer.model.inputs import Input
from analyzer.model.ip_set import IPSet
from analyzer.model.log import LogEntry
from analyzer.model.node import (
    BridgePort,
    Document,
    InterfaceAddress,
    Link,
    Process,
    ResolvConf,
    Route,
    RoutePolicyRule,
    Socket,
    Sysctl,
)
from analyzer.model.ruleset import Family, Ruleset
from analyzer.parse.command_line import parse_processes
from analyzer.parse.conntrack import parse_conntrack
from analyzer.parse.document import decode_document
from analyzer.parse.hairpin import parse_hairpin
from analyzer.parse.ip_tool import parse_addresses, parse_links, parse_route_rules, parse_routes
from analyzer.parse.ipset_save import parse_ipset_save
from analyzer.parse.klog import parse_log
from analyzer.parse.nft_json import decode_nft_ruleset
from analyzer.parse.parsed import Parsed
from analyzer.parse.resolv_conf import parse_resolv_conf
from analyzer.parse.sockets import parse_sockets
from analyzer.parse.sysctl import parse_sysctls

if TYPE_CHECKING:
    from analyzer.load.cluster_source import BundleFiles

T = TypeVar("T")

_V6_RULESETS = frozenset({Input.RULESET_V6, Input.RULESET_V6_NFT, Input.RULESET_V6_LEGACY})


class NodeFiles:
    """The files of one node; a `NodeSource`."""

    def __init__(self, files: BundleFiles, node: str) -> None:
        self._files = files
        self._node = node
        self._values: dict[Input, Any] = {}

    def was_read(self, source: Input) -> bool:
        """Parse an input and tell whether anything came of it."""
        reader = _READERS.get(source)
        if reader is None:
            return True
        value = reader(self, source)
        if isinstance(value, tuple) and value and isinstance(value[0], Ruleset):
            return not all(r.empty for r in value)
        return bool(value)

    def excerpt(self, source: Input) -> str:
        """Return why a ruleset's file does not show a table as a whole; empty for any other file."""
        if _READERS.get(source) is not NodeFiles.rulesets:
            return ""
        tables = (t for dump in self.rulesets(source)[-1:] for t in dump.tables.values())
        cut = next((t for t in tables if not t.complete), None)
        if cut is None:
            return ""
        named = _("table {cut}", cut=cut.name) if cut.name else _("a table without name")
        path = self._files.paths(source, self._node)[0]
        return _(
            "{path} is an excerpt: {named} is not there from *table to COMMIT",
            path=path,
            named=named,
        )

    def rulesets(self, source: Input) -> tuple[Ruleset, ...]:
        """Return the dumps in an iptables-save file, oldest first."""
        self._files.demand(self._node)
        family = Family.IPV6 if source in _V6_RULESETS else Family.IPV4
        return self._once(source, lambda path: self._files.ruleset(path, family), ())

    def log(self, source: Input) -> tuple[LogEntry, ...]:
        """Return the entries of a log in file order."""
        collected_at = self._files.identity.created_at
        return self._read(source, lambda path, text: parse_log(path, text, collected_at), ())

    def document(self, source: Input) -> Document | None:
        """Return a JSON or YAML document."""
        if source is Input.NFT_RULESET:
            self._files.demand(self._node)
        decode = decode_nft_ruleset if source is Input.NFT_RULESET else decode_document
        return self._once(
            source, lambda path: self._files.parsed(path, partial(decode, path), None), None
        )

    def text(self, source: Input) -> str | None:
        """Return a short text file, stripped."""
        return self._once(source, lambda path: self._files.text(path).strip(), None)

    def sysctls(self) -> dict[str, Sysctl]:
        """Return sysctl.txt by name."""
        return self._read(Input.SYSCTLS, parse_sysctls, {})

    def bridge_ports(self) -> tuple[BridgePort, ...]:
        """Return hairpin.txt."""
        return self._read(Input.HAIRPIN, parse_hairpin, ())

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Return ip-addr.json or its text form."""
        return self._read(Input.ADDRESSES, parse_addresses, ())

    def links(self) -> tuple[Link, ...]:
        """Return ip-link.json or its text form."""
        return self._read(Input.LINKS, parse_links, ())

    def routes(self) -> tuple[Route, ...]:
        """Return ip-route.json or its text form, all tables."""
        return self._read(Input.ROUTES, parse_routes, ())

    def route_rules(self) -> tuple[RoutePolicyRule, ...]:
        """Return ip-rule.txt."""
        return self._read(Input.ROUTE_RULES, parse_route_rules, ())

    def processes(self) -> tuple[Process, ...]:
        """Return processes.txt."""
        return self._read(Input.PROCESSES, parse_processes, ())

    def sockets(self) -> tuple[Socket, ...]:
        """Return sockets.txt."""
        return self._read(Input.SOCKETS, parse_sockets, ())

    def ip_sets(self) -> dict[str, IPSet]:
        """Return ipset-save.txt by name."""
        return self._read(Input.IPSETS, parse_ipset_save, {})

    def connections(self) -> tuple[ConntrackEntry, ...]:
        """Return conntrack.txt."""
        return self._read(Input.CONNTRACK, parse_conntrack, ())

    def resolv_conf(self) -> ResolvConf | None:
        """Return the node's resolv.conf."""
        return self._read(Input.NODE_RESOLV_CONF, parse_resolv_conf, None)

    def _read(self, source: Input, parse: Callable[[str, str], Parsed[T]], default: T) -> T:
        return self._once(source, lambda path: self._files.parsed_text(path, parse), default)

    def _once(self, source: Input, read: Callable[[str], T], default: T) -> T:
        if source not in self._values:
            paths: Sequence[str] = self._files.paths(source, self._node)
            self._values[source] = read(paths[0]) if paths else default
        return cast("T", self._values[source])


_READERS: dict[Input, Callable[[NodeFiles, Input], Any]] = {
    **dict.fromkeys(
        (
            Input.RULESET,
            Input.RULESET_NFT,
            Input.RULESET_LEGACY,
            Input.RULESET_V6,
            Input.RULESET_V6_NFT,
            Input.RULESET_V6_LEGACY,
        ),
        NodeFiles.rulesets,
    ),
    **dict.fromkeys((Input.PROXY_LOG, Input.KUBELET_LOG), NodeFiles.log),
    **dict.fromkeys(
        (
            Input.NFT_RULESET,
            Input.PROXY_CONFIGZ,
            Input.PROXY_CONFIG,
            Input.PROXY_HEALTHZ,
            Input.KUBELET_CONFIGZ,
        ),
        NodeFiles.document,
    ),
    Input.SYSCTLS: lambda files, _: files.sysctls(),
    Input.HAIRPIN: lambda files, _: files.bridge_ports(),
    Input.ADDRESSES: lambda files, _: files.addresses(),
    Input.LINKS: lambda files, _: files.links(),
    Input.ROUTES: lambda files, _: files.routes(),
    Input.ROUTE_RULES: lambda files, _: files.route_rules(),
    Input.PROCESSES: lambda files, _: files.processes(),
    Input.SOCKETS: lambda files, _: files.sockets(),
    Input.IPSETS: lambda files, _: files.ip_sets(),
    Input.CONNTRACK: lambda files, _: files.connections(),
}

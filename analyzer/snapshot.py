"""What checks are given: the cluster, a node and a Service, with what should be and what is there.

Views are read-only and lazy: nothing is parsed before a check asks for it. They know no file format;
`analyzer.load` hands them sources that do.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input, Scope
from analyzer.model.kubernetes import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Event,
    Namespace,
    Node,
    Pod,
    Service,
    Version,
    Workload,
)
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
from analyzer.model.ruleset import Ruleset
from analyzer.model.source import ParseProblem


class NodeSource(Protocol):
    """Reads the files of one node; every method returns None (or nothing) where the file is absent."""

    def rulesets(self, source: Input) -> tuple[Ruleset, ...]:
        """Return the dumps in an iptables-save file, oldest first; one empty ruleset for an empty file."""

    def log(self, source: Input) -> tuple[LogEntry, ...]:
        """Return the entries of a log in file order."""

    def document(self, source: Input) -> Document | None:
        """Return a JSON or YAML document."""

    def text(self, source: Input) -> str | None:
        """Return a short text file, stripped."""

    def sysctls(self) -> dict[str, Sysctl]:
        """Return sysctl.txt by name."""

    def bridge_ports(self) -> tuple[BridgePort, ...]:
        """Return hairpin.txt."""

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """Return ip-addr.json or its text form."""

    def links(self) -> tuple[Link, ...]:
        """Return ip-link.json or its text form."""

    def routes(self) -> tuple[Route, ...]:
        """Return ip-route.json or its text form, all tables."""

    def route_rules(self) -> tuple[RoutePolicyRule, ...]:
        """Return ip-rule.txt."""

    def processes(self) -> tuple[Process, ...]:
        """Return processes.txt."""

    def sockets(self) -> tuple[Socket, ...]:
        """Return sockets.txt."""

    def resolv_conf(self) -> ResolvConf | None:
        """Return the node's resolv.conf."""

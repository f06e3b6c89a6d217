"""What a rule of kube-proxy's chains asks of a new connection, as far as kube-proxy tells connections apart.

Clients fall in three classes, because that is all that the rules of kube-proxy 1.2 to 1.36 distinguish:
pods (`-s CLUSTER-CIDR`, `-i BRIDGE`), the node itself (`--src-type LOCAL`, `-s 127.0.0.0/8`), and others.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from analyzer.model.address import canonical_ip, network_of
from analyzer.model.forwarding import Frontend, Protocol
from analyzer.model.ruleset import Rule, Shape
from analyzer.observe.rule_conditions import Conditions, conditions_of


class Client(Enum):
    """Where a connection comes from."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    POD = "pod"
    NODE = "node"
    EXTERNAL = "external"


CLIENTS = tuple(Client)


class Packet(Struct, frozen=True):
    """The first packet of a connection."""

    frontend: Frontend
    client: Client


class ConditionReader(dict[Shape, Conditions]):
    """Where the conditions stand in rules of each shape, read when the shape is asked for first."""

    def __missing__(self, shape: Shape) -> Conditions:
        """Read the conditions of a shape."""
        found = self[shape] = conditions_of(shape)
        return found

    def chance(self, rule: Rule, packet: Packet) -> float | None:
        """Return the probability that the rule applies to the packet, or None where it cannot be told.

        A rule of session affinity has 0: a client without affinity is meant.
        """
        return self.chance_at(rule, packet.frontend) if self.is_from(rule, packet.client) else 0.0

    def is_from(self, rule: Rule, client: Client) -> bool:
        """Tell whether the rule is for such a client."""
        conditions = self[rule.shape]
        return not conditions.asks_client or _is_from(rule, conditions, client)

    def chance_at(self, rule: Rule, frontend: Frontend) -> float | None:
        """Return the probability that the rule applies to a packet to the frontend from a client that it is for."""
        conditions = self[rule.shape]
        if conditions.affinity:
            return 0.0
        if not conditions.balancing and not _concerns(rule, conditions, frontend):
            return 0.0
        if conditions.unknown:
            return None
        return probability_of(rule, conditions, written_probability(rule, conditions))


def probability_of(rule: Rule, conditions: Conditions, written: float | None) -> float:
    """Return the probability of the rule's statistic match, 1 without one; `written` is its `--probability`."""
    if conditions.every is not None:
        every = number_of(rule.values[conditions.every])
        return 1.0 / every if every else 1.0
    if written is None:
        return 1.0
    return 1.0 - written if conditions.probability_negated else written


def written_probability(rule: Rule, conditions: Conditions) -> float | None:
    """Return the value of `--probability`, or None without one."""
    if conditions.probability is None:
        return None
    try:
        value = float(rule.values[conditions.probability])
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def host_of(address: str) -> str | None:
    """Return the address in `10.96.0.1/32`, `fd00::1/128` or `10.96.0.1`; None for a network."""
    host, slash, prefix = address.partition("/")
    if ":" in host:
        return canonical_ip(host) if prefix == "128" or not slash else None
    return host if prefix == "32" or not slash else None


def protocol_of(text: str) -> Protocol | None:
    """Return the protocol of a `-p` value; iptables prints numbers where /etc/protocols is absent."""
    return _PROTOCOLS.get(text.lower())


def number_of(text: str) -> int | None:
    """Return a decimal number of at most five digits, such as a port, or None for anything else."""
    return int(text) if len(text) <= 5 and text.isascii() and text.isdigit() else None  # noqa: PLR2004


def is_loopback(cidr: str) -> bool:
    """Tell whether a CIDR is the loopback network of its family."""
    return cidr.startswith("127.") or cidr in {"::1", "::1/128"}


_PROTOCOLS = {
    "tcp": Protocol.TCP,
    "6": Protocol.TCP,
    "udp": Protocol.UDP,
    "17": Protocol.UDP,
    "sctp": Protocol.SCTP,
    "132": Protocol.SCTP,
}
_ANYWHERE = {"0.0.0.0/0", "::/0"}


def _concerns(rule: Rule, conditions: Conditions, frontend: Frontend) -> bool:
    """Tell whether the conditions other than chance and client hold; those that are not known are taken to hold."""
    values = rule.values
    if conditions.protocol is not None:
        same = protocol_of(values[conditions.protocol]) is frontend.protocol
        if same == conditions.protocol_negated:
            return False
    if conditions.port is not None:
        same = number_of(values[conditions.port]) == frontend.port
        if same == conditions.port_negated:
            return False
    if conditions.destination is not None:
        inside = _contains(values[conditions.destination], frontend.address)
        if inside == conditions.destination_negated:
            return False
    return conditions.states is None or "NEW" in values[conditions.states].split(",")


def _is_from(rule: Rule, conditions: Conditions, client: Client) -> bool:
    values = rule.values
    if conditions.source is not None and values[conditions.source] not in _ANYWHERE:
        clients = Client.NODE if is_loopback(values[conditions.source]) else Client.POD
        if (client is clients) == conditions.source_negated:
            return False
    if conditions.interface is not None and (client is Client.POD) == conditions.interface_negated:
        return False
    if conditions.source_type is not None:
        local = values[conditions.source_type] == "LOCAL" and client is Client.NODE
        return local != conditions.source_type_negated
    return True


def _contains(cidr: str, address: str) -> bool:
    """Tell whether an address is in a CIDR; a node port's (empty) address is in none."""
    host = host_of(cidr)
    if host is not None:
        return host == address
    network, inner = network_of(cidr), network_of(address)
    if network is None or inner is None or network.version != inner.version:
        return False
    return inner.network_address in network

"""The check `node-port-conflict`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import edit, shell
from analyzer.expect.claims import NodePortClaim
from analyzer.language import _, plural
from analyzer.model.forwarding import Entry, Protocol
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import Minor, ProxyMode
from analyzer.model.log import LogEntry
from analyzer.model.node import Socket
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, Ref
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ClusterView, NodeView

_OPENS_NO_SOCKETS = Minor(1, 24)
"""From here on kube-proxy does not listen on node ports itself: who does is another program."""

_LONGEST = 1024
"""Characters of a log entry that are searched: the search costs their square."""

_IN_USE = re.compile(
    r"can't open .*listen (?P<protocol>tcp|udp)\d? \S*:(?P<port>\d{1,5}): bind: address already in use",
    re.DOTALL,
)
"""What kube-proxy up to 1.21 logs for a node port that it gives up (kube-facts C.2)."""

_WRITES_RULES = "skipping it"
"""How 1.22 and 1.23 end that line: they write the rules all the same, and may have opened the port themselves for the
other IP family (seen with 1.23.4)."""


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    advisory=True,
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport",
        "https://github.com/kubernetes/kubernetes/issues/64466",
    ),
)
def node_port_conflict(cluster: ClusterView) -> Iterator[Outcome]:
    """
    One node port is claimed twice: by two Services, or by a Service and a program on the node.

    ## Why it matters
    kube-proxy writes rules for all, and the first one wins. A health check port that is taken cannot be opened,
    so the load balancer takes the node for dead. A program that listens on a node port is never reached, as
    the rules come first; up to Kubernetes 1.23 kube-proxy gave the node port up instead.

    ## How to put it right
    Give one of them another port. Leave `nodePort` and `healthCheckNodePort` out to have a free one chosen.

    ## Where it is silent
    One number with TCP and with UDP is right. Up to 1.23 kube-proxy itself listens on node ports, so there a
    listener proves nothing.
    """
    for (protocol, number), claims in _sorted(cluster):
        if len(claims) > 1:
            yield _between_services(cluster, protocol, number, claims)
    for node in cluster.nodes.values():
        yield from _with_programs(node)
        yield from _given_up(node)


def _sorted(
    cluster: ClusterView,
) -> Sequence[tuple[tuple[Protocol, int], tuple[NodePortClaim, ...]]]:
    return sorted(cluster.node_port_claims.items(), key=lambda c: (c[0][1], c[0][0].value))


def _between_services(
    cluster: ClusterView, protocol: Protocol, number: int, claims: Sequence[NodePortClaim]
) -> Problem:
    evidence = [
        Evidence(c.source, _("{what} of {service}", what=c.what, service=c.service.full_name))
        for c in claims[:4]
    ]
    evidence.extend(
        Evidence(event.ref.at("message"), _("what the API server says of it"))
        for claim in claims
        for event in cluster.events_about("Service", claim.service.namespace, claim.service.name)
        if event.reason == "PortAlreadyAllocated"
    )
    owners = [f"{c.service.full_name} ({c.what})" for c in claims]
    last = max(claims, key=lambda c: c.service.metadata.creation_timestamp or "").service
    return Problem(
        message=_(
            "node port {number}/{protocol} is claimed {times}: {owners}",
            number=number,
            protocol=protocol.value,
            times=plural("{count:,} time", "{count:,} times", len(claims)),
            owners=listed(owners),
        ),
        evidence=tuple(evidence),
        remedy=_("Give one of them another node port: ")
        + edit(last.namespace, "service", last.name),
        affects=frozenset(c.service.key for c in claims),
        partial=True,
    )


def _with_programs(node: NodeView) -> Iterator[Outcome]:
    """Programs that listen on a node port, where kube-proxy itself is known not to."""
    proxy = node.kube_proxy
    opens_none = proxy.version.at_least(_OPENS_NO_SOCKETS)
    if proxy.mode not in {ProxyMode.IPTABLES, ProxyMode.UNKNOWN} or opens_none is False:
        return
    claims = [
        (protocol, number, found)
        for (protocol, number), found in _sorted(node.cluster)
        if not any(c.health_check for c in found)
    ]
    if claims and not node.has(Input.SOCKETS):
        yield _undecided(node, Input.SOCKETS, _("whether programs listen on node ports"))
    taken = [(c, s) for c in claims for s in [node.listeners(c[0], c[1])] if s]
    if len(taken) == len(claims) > 1:
        return  # whoever listens on all of them is a kube-proxy, whatever its version seems to be
    if taken and (opens_none is None or proxy.mode is ProxyMode.UNKNOWN):
        yield _undecided(
            node, Input.PROXY_LOG, _("whether it is kube-proxy that listens on node ports")
        )
        return
    for (protocol, number, found), sockets in taken:
        yield _with_program(node, f"{number}/{protocol.value}", found[0], sockets[0])


def _undecided(node: NodeView, needed: Input, what: str) -> Undecided:
    return Undecided(
        reason=_("{what} cannot be told without {path}", what=what, path=needed.path(node.name)),
        missing=(needed.path(node.name),),
        command=needed.command(node.name),
        node=node.name,
    )


def _with_program(node: NodeView, port: str, claim: NodePortClaim, socket: Socket) -> Problem:
    service = claim.service
    return Problem(
        message=_(
            "a program on {node} listens on {port}, the node port of {service}: no "
            "connection reaches it",
            node=node.name,
            port=port,
            service=service.full_name,
        ),
        evidence=(
            Evidence(socket.source, _("a listener, where kube-proxy itself has none")),
            Evidence(claim.source, _("node port of {service}", service=service.full_name)),
        ),
        remedy=_("Let the program or the Service use another port: ")
        + edit(service.namespace, "service", service.name),
        service=service.key,
        node=node.name,
        severity=Severity.WARNING,
    )


def _given_up(node: NodeView) -> Iterator[Outcome]:
    """Node ports for which an old kube-proxy wrote no rules, because it could not listen there."""
    entries = node.missing_node_ports
    if entries is None:
        if any(_gives_up(log) for log in node.proxy_log):
            yield _undecided(node, Input.RULESET, _("whether kube-proxy gave a node port up"))
        return
    missing = {(e.frontend.protocol, e.frontend.port): e for e in entries}
    opens_none = node.kube_proxy.version.at_least(_OPENS_NO_SOCKETS)
    if missing and not opens_none and not node.proxy_log:
        yield _undecided(node, Input.PROXY_LOG, _("whether kube-proxy gave a node port up"))
    for log in node.proxy_log if missing else ():
        found = _gives_up(log)
        protocol = Protocol.parse(found["protocol"]) if found else None
        entry = missing.pop((protocol, int(found["port"])), None) if found and protocol else None
        if entry is None or entry.service_port is None:
            continue
        key = entry.service_port.service
        yield Problem(
            message=_(
                "kube-proxy on {node} gave up node port {port} of {key}: another program has it",
                node=node.name,
                port=entry.frontend.port,
                key=key,
            ),
            evidence=(
                Evidence(log.source, _("the port is in use")),
                Evidence(_node_port_ref(entry), _("the node port that has no rule")),
            ),
            remedy=_("Find out who listens there, on {node}: ", node=node.name)
            + shell("ss", "-lntup", "sport", "=", f":{entry.frontend.port}"),
            service=key,
            node=node.name,
        )


def _gives_up(log: LogEntry) -> re.Match[str] | None:
    text = log.text[:_LONGEST]
    return None if _WRITES_RULES in text else _IN_USE.search(text)


def _node_port_ref(entry: Entry) -> Ref:
    return entry.source.at("nodePort") if isinstance(entry.source, ObjectRef) else entry.source

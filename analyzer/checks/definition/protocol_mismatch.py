"""The check `protocol-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import patch, pointer
from analyzer.expect.target_port import (
    DeclaredPort,
    PortOutcome,
    declared_ports,
)
from analyzer.language import _, plural
from analyzer.model.forwarding import Protocol
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Service
from analyzer.model.node import Socket
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.service_groups import TargetPort, target_ports
from analyzer.snapshot import ClusterView


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-the-service-defined-correctly",
        "https://kubernetes.io/docs/reference/networking/service-protocols/",
    ),
)
def protocol_mismatch(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A Service port and the port of its pods have different protocols.

    ## Why it matters
    A target port that is a name is found only together with its protocol: the pods are left out of the
    endpoints. With a number, connections of the Service's protocol reach a pod that listens for another one,
    and are refused.

    ## How to put it right
    Give both the same protocol. TCP is what a port has that does not say.

    ## Where it is silent
    Where the Service has a port of each protocol to the same number. With a number, a declared port proves
    nothing about the others, so it is a warning; the node's sockets prove it for pods in the node's network.
    """
    for target in target_ports(cluster):
        number = target.first.port.effective_target_port
        if isinstance(number, int):
            yield from _by_number(cluster, target, number)
        else:
            yield from _by_name(target)


def _by_name(target: TargetPort) -> Iterator[Problem]:
    port = target.first.port
    found = target.resolutions
    wrong = [r.declared for r in found if r.outcome is PortOutcome.OTHER_PROTOCOL and r.declared]
    if not wrong:
        return
    all_wrong = len(wrong) == len(found)
    pods = plural("{count:,} pod", "{count:,} pods", len(found))
    yield _problem(
        target,
        _(
            "in {where} the container port {effective_target_port} is {name}",
            where=pods if all_wrong else _("{count} of {pods}", count=len(wrong), pods=pods),
            effective_target_port=port.effective_target_port,
            name=_name(wrong[0]),
        ),
        wrong[0].protocol,
        Evidence(
            wrong[0].source.at("protocol"),
            _("protocol of container port {wrong}", wrong=wrong[0].name),
        ),
        severity=Severity.ERROR if all_wrong else Severity.WARNING,
    )


def _by_number(cluster: ClusterView, target: TargetPort, number: int) -> Iterator[Outcome]:
    service = target.first.view.service
    if service.headless:
        return
    proof = _other_listener(cluster, target, number)
    others = _declared_otherwise(target, number)
    if proof is not None:
        yield _problem(
            target,
            _(
                "on the node of its pod only {protocol} listens on {number}",
                protocol=proof.protocol,
                number=number,
            ),
            Protocol.parse(proof.protocol),
            Evidence(proof.source, _("the only listener on {number}", number=number)),
            severity=Severity.ERROR,
        )
    elif others and not _serves_both(service, target.first.index, others[0].protocol):
        yield _problem(
            target,
            _("the pods declare {number} as {name}", number=number, name=_name(others[0])),
            others[0].protocol,
            Evidence(
                others[0].source.at("protocol"),
                _("protocol of container port {number}", number=number),
            ),
            severity=Severity.WARNING,
        )
    nodes = target.unseen_nodes(cluster)
    for key in sorted(target.affects or {target.first.view.key}) if nodes else ():
        yield Undecided(
            reason=_(
                "which protocol listens on {number} cannot be told without the sockets of {nodes}",
                number=number,
                nodes=listed(nodes),
            ),
            missing=tuple(Input.SOCKETS.path(n) for n in nodes),
            command=Input.SOCKETS.command(nodes[0]),
            service=key,
        )


def _problem(
    target: TargetPort,
    told: str,
    actual: Protocol | None,
    shown: Evidence,
    *,
    severity: Severity,
) -> Problem:
    service, index = target.first.view.service, target.first.index
    protocol = service.ref.at("spec", "ports", index, "protocol")
    return Problem(
        message=plural(
            "{names} is {protocol}, but {told}",
            "{names} are {protocol}, but {told}",
            len(target.uses),
            names=target.names,
            protocol=target.first.port.protocol,
            told=told,
        ),
        evidence=(Evidence(protocol, _("protocol of the Service port")), shown),
        remedy=_remedy(service, index, actual),
        service=target.service,
        affects=target.affects,
        port=target.label,
        severity=severity,
        partial=target.partial,
    )


def _declared_otherwise(target: TargetPort, number: int) -> Sequence[DeclaredPort]:
    """Return how the pods declare the number where all of them do, and none with the Service port's protocol."""
    protocol = Protocol.parse(target.first.port.protocol)
    found: list[DeclaredPort] = []
    for pod in target.pods:
        declared = [d for d in declared_ports(pod) if d.number == number]
        if not declared or any(d.protocol is protocol for d in declared):
            return ()
        found += declared
    return found


def _other_listener(cluster: ClusterView, target: TargetPort, number: int) -> Socket | None:
    """Return a socket of the other protocol where all pods are in their nodes' network, and none listens."""
    if len(target.pods_of_nodes) < len(target.pods):
        return None
    protocol = Protocol.parse(target.first.port.protocol)
    other = {Protocol.TCP: Protocol.UDP, Protocol.UDP: Protocol.TCP}.get(protocol or Protocol.SCTP)
    first: Socket | None = None
    if protocol is None or other is None:
        return None
    for pod in target.pods:
        node = cluster.nodes.get(pod.spec.node_name)
        if node is None:
            return None
        wrong = node.listeners(other, number) if node.has(Input.SOCKETS) else ()
        if not pod.ready or not wrong or node.listeners(protocol, number):
            return None
        first = first or wrong[0]
    return first


def _serves_both(service: Service, index: int, actual: Protocol | None) -> bool:
    """Tell whether another port of the Service leads to the same target by the declared protocol."""
    target = service.ports[index].effective_target_port
    return any(
        p.effective_target_port == target and Protocol.parse(p.protocol) is actual
        for p in service.ports
    )


def _remedy(service: Service, index: int, actual: Protocol | None) -> str:
    path = pointer("spec", "ports", str(index), "protocol")
    value = actual.value if actual else ""
    operation = {"op": "replace", "path": path, "value": value}
    change = patch(service.namespace, "service", service.name, operation)
    return _(
        "{change}  # or correct the protocol of the container port in the pod template",
        change=change,
    )


def _name(declared: DeclaredPort) -> str:
    return declared.protocol.value if declared.protocol else _("of an unknown protocol")

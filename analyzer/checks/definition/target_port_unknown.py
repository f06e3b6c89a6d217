"""The check `target-port-unknown`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import edit, set_target_port, shell
from analyzer.expect.target_port import DeclaredPort, declared_ports, declares
from analyzer.language import _, plural
from analyzer.model.forwarding import Protocol
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod, ServicePort
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, SourceRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.service_groups import TargetPort, target_ports
from analyzer.snapshot import ClusterView, NodeView


@check(
    station=Station.DEFINITION,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("protocol-mismatch",),
    advisory=True,
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-the-service-defined-correctly",
        "https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
    ),
)
def target_port_unknown(cluster: ClusterView) -> Iterator[Outcome]:
    """
    A Service sends to a port number that none of its pods declares, or on which nothing listens.

    ## Why it matters
    A numeric targetPort is taken as it is. Where no process listens on it, every connection that kube-proxy
    forwards is refused, although pods, endpoints and rules all look right.

    ## How to put it right
    Set targetPort to the port that the container listens on.

    ## Where it is silent
    Declaring ports is optional, so this is a warning where pods declare other ports, and nothing where they
    declare none. It is an error only with proof: a pod with the network of its node, and the node's list of
    sockets without that port. Headless Services are left out: their clients choose the port themselves.
    """
    for target in target_ports(cluster):
        number = target.first.port.effective_target_port
        if isinstance(number, int) and not target.first.view.service.headless:
            yield from _proven(cluster, target, number)
            yield from _suspected(target, number)
            yield from _unseen(cluster, target)


def _unseen(cluster: ClusterView, target: TargetPort) -> Iterator[Undecided]:
    nodes = target.unseen_nodes(cluster)
    for key in sorted(target.affects or {target.first.view.key}) if nodes else ():
        yield Undecided(
            reason=_(
                "whether its target port is listened on cannot be told without the sockets "
                "of {nodes}",
                nodes=listed(nodes),
            ),
            missing=tuple(Input.SOCKETS.path(n) for n in nodes),
            command=Input.SOCKETS.command(nodes[0]),
            service=key,
        )


def _proven(cluster: ClusterView, target: TargetPort, number: int) -> Iterator[Problem]:
    """Pods in their nodes' network, of which the nodes' sockets show that nothing listens."""
    port, pods = target.first.port, target.pods
    closed = [p for p in target.pods_of_nodes if _is_closed(cluster, p, port, number)]
    if not closed:
        return
    nodes = sorted({p.spec.node_name for p in closed})
    shown = _socket_evidence(cluster.nodes[nodes[0]], port, number)
    only_loopback = shown.source != SourceRef(Input.SOCKETS.path(nodes[0]), 1)
    what = _("only a loopback address answers") if only_loopback else _("nothing listens there")
    yield Problem(
        message=_(
            "targetPort {number}/{protocol} of {names}: {what} on {nodes}, whose network "
            "{count} of {pods} {use}",
            number=number,
            protocol=port.protocol,
            names=target.names,
            what=what,
            nodes=listed(nodes),
            count=len(closed),
            pods=plural("{count:,} pod", "{count:,} pods", len(pods)),
            use=plural("uses", "use", len(closed)),
        ),
        evidence=(
            Evidence(_target_ref(target), _("where the Service sends to")),
            shown,
            Evidence(closed[0].ref.at("spec", "hostNetwork"), _("the pod uses its node's network")),
        ),
        remedy=_(
            "Set targetPort to the port on which the process listens; on {node}: ", node=nodes[0]
        )
        + shell("ss", "-lntup"),
        service=target.service,
        affects=target.affects,
        port=target.label,
        severity=Severity.ERROR if len(closed) == len(pods) else Severity.WARNING,
        partial=target.partial,
    )


def _is_closed(cluster: ClusterView, pod: Pod, port: ServicePort, number: int) -> bool:
    node = cluster.nodes.get(pod.spec.node_name)
    protocol = Protocol.parse(port.protocol)
    if node is None or not pod.ready or protocol in {None, Protocol.SCTP}:
        return False
    if not node.has(Input.SOCKETS) or not node.sockets:
        return False
    return not any(node.listeners(p, number) for p in (Protocol.TCP, Protocol.UDP))


def _socket_evidence(node: NodeView, port: ServicePort, number: int) -> Evidence:
    """Return the socket on a loopback address, or else the head of the list that lacks the port."""
    found = (s for s in node.sockets if (s.protocol, s.port) == (port.protocol, number))
    loopback = next(found, None)
    if loopback is not None:
        return Evidence(loopback.source, _("answers the node itself only"))
    path = Input.SOCKETS.path(node.name)
    return Evidence(SourceRef(path, 1), _("no socket on {number} in this list", number=number))


def _suspected(target: TargetPort, number: int) -> Iterator[Problem]:
    """Pods that declare ports, but not this one."""
    if any(declares(p, number) for p in target.pods if not p.host_network):
        return
    own = [p for p in target.pods if not p.host_network]
    if not own or not all(_declares_ports(p) for p in own):
        return
    declared = [d for p in own for d in declared_ports(p)]
    known = sorted({_text(d) for d in declared})
    yield Problem(
        message=_(
            "targetPort {number} of {names} is declared by none of the {pods}; they "
            "declare {known}",
            number=number,
            names=target.names,
            pods=plural("{count:,} pod", "{count:,} pods", len(own)),
            known=listed(known, 5),
        ),
        evidence=(
            Evidence(_target_ref(target), _("where the Service sends to")),
            Evidence(
                declared[0].source.at("containerPort"),
                _("what pod {own} declares", own=own[0].name),
            ),
        ),
        remedy=_remedy(target, declared),
        service=target.service,
        affects=target.affects,
        port=target.label,
        partial=target.partial,
    )


def _declares_ports(pod: Pod) -> bool:
    """Tell whether the pod's main container declares ports: a proxy put beside it always does."""
    return pod.main_container is not None and bool(pod.main_container.ports)


def _target_ref(target: TargetPort) -> ObjectRef:
    return target.first.view.service.target_port_ref(target.first.index)


def _remedy(target: TargetPort, declared: Sequence[DeclaredPort]) -> str:
    service, port = target.first.view.service, target.first.port
    protocol = Protocol.parse(port.protocol)
    fitting = sorted({d.number for d in declared if d.protocol is protocol})
    if len(fitting) == 1:
        return set_target_port(service.namespace, service.name, target.first.index, fitting[0])
    return _("Set targetPort to the port on which the container listens: ") + edit(
        service.namespace, "service", service.name
    )


def _text(declared: DeclaredPort) -> str:
    protocol = declared.protocol.value if declared.protocol else "?"
    return f"{declared.number}/{protocol}" + (f" ({declared.name})" if declared.name else "")

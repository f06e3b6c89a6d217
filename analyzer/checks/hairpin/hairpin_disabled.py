"""The check `hairpin-disabled`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.simulate.outcome import Cause
from analyzer.snapshot import Availability, NodeView


@dataclass(frozen=True, slots=True)
class _Port:
    """A bridge port with its hairpin mode."""

    bridge: str
    name: str
    hairpin: bool
    source: Ref


@check(
    station=Station.HAIRPIN,
    severity=Severity.WARNING,
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#a-pod-fails-to-reach-itself-via-the-service-ip",
        "https://github.com/kubernetes/kubernetes/issues/20475",
    ),
)
def hairpin_disabled(node: NodeView) -> Iterator[Outcome]:
    """
    The bridge that pods hang on does not send a packet back through the port it came from.

    ## Why it matters
    A pod that uses its own Service, and is chosen as the endpoint, gets no answer: with one endpoint
    never, with several of them sometimes, after a second's delay. Other clients notice nothing.

    ## How to put it right
    Set `hairpinMode: true` in the bridge plugin's CNI configuration (`/etc/cni/net.d/`) and restart the
    pods; at once, on the node: `bridge link set dev <port> hairpin on`.

    ## Where it is silent
    Where a pod that is followed to itself through its Service, as the kernel would, comes back all the same
    (without bridge-nf-call-iptables, a packet leaves the bridge by the host). It is advice where no pod on
    the bridge is an endpoint.
    For bridges that no pod hangs on (docker0, libvirt's), for ports that lead to no pod (a VXLAN device,
    the node's own interface), for a promiscuous bridge (kubenet's other way), and on nodes without a Linux
    bridge, where the CNI plugin routes to each pod.
    """
    ports = [p for p in _ports(node) if p.bridge in node.pod_bridges]
    unknown = sorted(node.pod_bridges - {p.bridge for p in ports})
    if not node.has(Input.HAIRPIN) and (unknown or _links_absent(node)):
        yield _undecided(node, unknown)
        return
    for bridge in sorted(node.pod_bridges):
        own = [p for p in ports if p.bridge == bridge]
        off = [p for p in own if not p.hairpin]
        if off and not _promiscuous(node, bridge):
            yield from _judged(node, bridge, _Ports(off, len(own)))


def _links_absent(node: NodeView) -> bool:
    return node.availability(Input.LINKS).availability is Availability.ABSENT


def _undecided(node: NodeView, unknown: Sequence[str]) -> Undecided:
    state = node.availability(Input.HAIRPIN)
    return Undecided(
        reason=state.reason
        + (_(", and pods hang on {unknown}", unknown=listed(unknown)) if unknown else ""),
        missing=(state.path,),
        command=Input.HAIRPIN.command(node.name),
    )


def _ports(node: NodeView) -> Iterator[_Port]:
    """Yield the ports that may lead to a pod: by hairpin.txt, else by `ip -d link`."""
    links = {link.name: link for link in node.links}
    if node.bridge_ports:
        for port in node.bridge_ports:
            link = links.get(port.port)
            bridge = port.bridge or (link.master if link else "")
            if link is None or link.kind in {"veth", ""}:
                yield _Port(bridge, port.port, port.hairpin, port.source)
        return
    for link in node.links:
        if link.master and link.hairpin is not None and link.kind in {"veth", ""}:
            yield _Port(link.master, link.name, link.hairpin, link.hairpin_source or link.source)


def _promiscuous(node: NodeView, bridge: str) -> bool:
    return any(link.name == bridge and "PROMISC" in link.flags for link in node.links)


@dataclass(frozen=True, slots=True)
class _Ports:
    """The ports of one bridge."""

    off: Sequence[_Port]
    """Those without hairpin mode."""

    count: int
    """Of all."""

    @property
    def told(self) -> str:
        """How many there are, in words."""
        return plural("{count:,} port", "{count:,} ports", self.count)


def _judged(node: NodeView, bridge: str, ports: _Ports) -> Iterator[Problem]:
    """Tell by what becomes of pods that connect to themselves whether hairpin mode is missed."""
    if not node.shows_connections:
        yield _problem(node, bridge, ports)
        return
    concerned = [c for c in node.connections_on(bridge) if c.to_itself]
    if not concerned:
        message = _(
            "hairpin mode is off on {count} of {ports} of {bridge} on {node}; no pod there is an "
            "endpoint of a Service now",
            count=len(ports.off),
            ports=ports.told,
            bridge=bridge,
            node=node.name,
        )
        advice = _problem(node, bridge, ports)
        yield replace(advice, message=message, severity=Severity.INFO)
        return
    of_ports = {c.service_port: c.query for c in concerned}
    if node.may_lose(of_ports.values(), lambda outcome: outcome.cause is Cause.HAIRPIN):
        services = frozenset(name.service for name in of_ports)
        yield replace(_problem(node, bridge, ports), affects=services)


def _problem(node: NodeView, bridge: str, ports: _Ports) -> Problem:
    off = ports.off
    return Problem(
        message=_(
            "hairpin mode is off on {count} of {ports} of {bridge} on {node}: a pod "
            "there does not reach itself through its Service",
            count=len(ports.off),
            ports=ports.told,
            bridge=bridge,
            node=node.name,
        ),
        evidence=tuple(Evidence(p.source, _("port {p}: off", p=p.name)) for p in off[:3]),
        remedy=_(
            "For good, set hairpinMode: true in the CNI configuration of the bridge "
            "plugin. At once, on {node}, for each port: ",
            node=node.name,
        )
        + shell("bridge", "link", "set", "dev", off[0].name, "hairpin", "on"),
    )

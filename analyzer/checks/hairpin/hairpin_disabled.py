"""The check `hairpin-disabled`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.commands import shell
from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.source import Ref
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
    pods; at once, on the node: `echo 1 > /sys/class/net/<port>/brport/hairpin_mode`.

    ## Where it is silent
    For bridges that no pod hangs on (docker0, libvirt's), for a promiscuous bridge (kubenet's other way),
    and on nodes without a Linux bridge.
    """
    if (
        not node.has(Input.HAIRPIN)
        and node.availability(Input.LINKS).availability is Availability.ABSENT
    ):
        yield Undecided(
            reason=f"neither {Input.HAIRPIN.path(node.name)} nor {Input.LINKS.path(node.name)} is in the bundle",
            missing=(Input.HAIRPIN.path(node.name),),
            command=Input.HAIRPIN.command(node.name),
        )
        return
    if (
        not node.has(Input.HAIRPIN)
        and node.pod_bridges
        and not any(link.hairpin is not None for link in node.links)
    ):
        yield Undecided(
            reason=f"{Input.HAIRPIN.path(node.name)} is not in the bundle, and pods hang on "
            f"{', '.join(sorted(node.pod_bridges))}",
            missing=(Input.HAIRPIN.path(node.name),),
            command=Input.HAIRPIN.command(node.name),
        )
        return
    for bridge in sorted(node.pod_bridges):
        ports = [p for p in _ports(node) if p.bridge == bridge]
        off = [p for p in ports if not p.hairpin]
        if off and not _promiscuous(node, bridge):
            yield _problem(node, bridge, off, len(ports))


def _ports(node: NodeView) -> Iterator[_Port]:
    kinds = {link.name: link.kind for link in node.links}
    if node.bridge_ports:
        for port in node.bridge_ports:
            if kinds.get(port.port, "veth") in {"veth", ""}:
                yield _Port(port.bridge, port.port, port.hairpin, port.source)
        return
    for link in node.links:
        if link.master and link.hairpin is not None and link.kind in {"veth", ""}:
            yield _Port(link.master, link.name, link.hairpin, link.source)


def _promiscuous(node: NodeView, bridge: str) -> bool:
    return any(link.name == bridge and "PROMISC" in link.flags for link in node.links)


def _problem(node: NodeView, bridge: str, off: list[_Port], count: int) -> Problem:
    quoted = shell(f"/sys/class/net/{off[0].name}/brport/hairpin_mode")
    return Problem(
        message=f"hairpin mode is off on {len(off)} of {count} ports of {bridge} on {node.name}: a pod there "
        "does not reach itself through its Service",
        evidence=tuple(Evidence(p.source, f"port {p.name}: off") for p in off[:3]),
        remedy=f"On {node.name}, at once: echo 1 > {quoted} (each port); for good: hairpinMode: true in the "
        "CNI configuration of the bridge plugin.",
    )

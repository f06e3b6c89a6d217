"""SRC: `pod:NAMESPACE/NAME`, `node:NAME`, `external:ADDRESS[@NODE]`."""

from __future__ import annotations

from analyzer.errors import UsageError
from analyzer.language import _
from analyzer.model.kubernetes import Pod
from analyzer.simulate.address import number
from analyzer.simulate.trace import FromHost, FromOutside, FromPod, Origin
from analyzer.snapshot import ClusterView

_SHOWN = 5


def origins(cluster: ClusterView, text: str, destination: str) -> list[Origin]:
    """Return whom SRC means: several where it comes from outside and no node is named.

    `destination`: address that it connects to, whose owner receives it then. Raises `UsageError`.
    """
    kind, colon, rest = text.partition(":")
    match kind:
        case "pod" if colon:
            return [_from_pod(cluster, rest)]
        case "node" if colon:
            return [from_host(cluster, rest)]
        case "external" if colon:
            return _from_outside(cluster, rest, destination)
        case _:
            raise UsageError(
                _(
                    "source {text!r}: expected pod:NAMESPACE/NAME, node:NAME or "
                    "external:ADDRESS[@NODE]",
                    text=text,
                )
            )


def pod_named(cluster: ClusterView, name: str) -> Pod:
    """Return a pod by `namespace/name`. Raises `UsageError`."""
    pod = cluster.pod_by_name.get(name)
    if pod is None:
        raise UsageError(_("no pod {name} in the bundle (expected NAMESPACE/NAME)", name=name))
    return pod


def from_host(cluster: ClusterView, name: str) -> FromHost:
    """Return a client on a node. Raises `UsageError`."""
    hosts = cluster.network.hosts
    if name not in hosts:
        known = ", ".join(sorted(hosts)[:_SHOWN])
        raise UsageError(
            _(
                "no node {name!r} in the bundle (there are: {known})",
                name=name,
                known=known or "none",
            )
        )
    return FromHost(name)


def _from_pod(cluster: ClusterView, name: str) -> Origin:
    pod = pod_named(cluster, name)
    if pod.host_network:
        return from_host(cluster, pod.spec.node_name)
    if not pod.ips:
        raise UsageError(_("pod {name} has no address yet", name=name))
    if pod.finished:
        raise UsageError(_("pod {name} has finished", name=name))
    return FromPod(name)


def _from_outside(cluster: ClusterView, text: str, destination: str) -> list[Origin]:
    address, _at, host = text.partition("@")
    if number(address) is None:
        raise UsageError(
            _("external:{text}: expected external:ADDRESS or external:ADDRESS@NODE", text=text)
        )
    if host:
        from_host(cluster, host)
        return [FromOutside(address, host)]
    owner = cluster.simulator.atlas.owner_of.get(number(destination) or -1)
    hosts = [owner] if owner else sorted(cluster.network.hosts)
    return [FromOutside(address, name) for name in hosts]

"""Three nodes on one segment, each with a bridge of pods, and the rules of one Service.

node-a  eth0 192.0.2.1  cbr0 10.0.1.1/24  pods a1 10.0.1.11, a2 10.0.1.12
node-b  eth0 192.0.2.2  cbr0 10.0.2.1/24  pods b1 10.0.2.11, b2 10.0.2.12
Service 10.96.0.1:80 -> 8080
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analyzer.model.inputs import Input
from analyzer.model.node import (
    BridgePort,
    InterfaceAddress,
    Link,
    Route,
    RoutePolicyRule,
    Socket,
    Sysctl,
)
from analyzer.model.ruleset import Family
from analyzer.model.source import SourceRef
from analyzer.parse.iptables_save import parse_iptables_save
from analyzer.simulate.host import Host, Network, PodSite
from analyzer.simulate.outcome import Outcome, Trace
from analyzer.simulate.trace import FromHost, FromOutside, FromPod, Origin, Query, Simulator

NODES = {"node-a": 1, "node-b": 2, "node-c": 3}
PODS = {"a1": "10.0.1.11", "a2": "10.0.1.12", "b1": "10.0.2.11", "b2": "10.0.2.12"}
VIP = "10.96.0.1"
_DEFAULTS = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.ipv4.conf.all.route_localnet": "1",
    "net.ipv4.conf.all.rp_filter": "0",
}


@dataclass(slots=True)
class Node:
    """What is special about a node."""

    rules: str | None = ""
    """iptables-save text; None where it was not collected."""

    sysctls: Mapping[str, str] = field(default_factory=dict)
    hairpin: bool | None = True
    routes: Sequence[Route] = ()
    """Before the usual ones."""

    without_routes: tuple[str, ...] = ()
    """Destinations of usual routes that are missing."""

    route_rules: tuple[RoutePolicyRule, ...] = ()
    ports: tuple[int, ...] = ()
    """TCP ports on which a process of the node listens."""

    absent: frozenset[Input] = frozenset()
    unexecuted: tuple[str, ...] = ()


def service(*pods: str, masquerade: str = "", affinity: bool = False) -> str:
    """Return kube-proxy's rules of the Service with these pods behind it.

    `masquerade`: whose connections are masqueraded, such as `-s 10.0.0.0/16`; hairpins always are.
    """
    lines = ["*nat", ":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"]
    lines += [":POSTROUTING ACCEPT [0:0]", ":KUBE-SERVICES - [0:0]", ":KUBE-SVC-X - [0:0]"]
    lines += [":KUBE-MARK-MASQ - [0:0]", ":KUBE-POSTROUTING - [0:0]"]
    lines += [f":KUBE-SEP-{pod} - [0:0]" for pod in pods]
    lines += ["-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES"]
    lines += ["-A POSTROUTING -j KUBE-POSTROUTING"]
    lines += ["-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"]
    lines += ["-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"]
    lines += ["-A KUBE-POSTROUTING -j MASQUERADE"]
    for pod in pods:
        listed = f" -m recent --set --name KUBE-SEP-{pod} --rsource" if affinity else ""
        lines += [f"-A KUBE-SEP-{pod} -s {PODS[pod]}/32 -j KUBE-MARK-MASQ"]
        lines += [
            f"-A KUBE-SEP-{pod} -p tcp{listed} -m tcp -j DNAT --to-destination {PODS[pod]}:8080"
        ]
    lines += [f"-A KUBE-SERVICES -d {VIP}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X"]
    if masquerade:
        lines += [f"-A KUBE-SVC-X {masquerade} -j KUBE-MARK-MASQ"]
    if affinity:
        check = "-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-{0} --rsource -j KUBE-SEP-{0}"
        lines += [f"-A KUBE-SVC-X {check.format(pod)}" for pod in pods]
    for position, pod in enumerate(pods):
        left = len(pods) - position
        share = f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
        lines += [f"-A KUBE-SVC-X{share} -j KUBE-SEP-{pod}"]
    return "\n".join([*lines, "COMMIT", ""])


def filtered(*rules: str, **policies: str) -> str:
    """Return a filter table with these rules and, for example, FORWARD="DROP"."""
    chains = [f":{c} {policies.get(c, 'ACCEPT')} [0:0]" for c in ("INPUT", "FORWARD", "OUTPUT")]
    return "\n".join(["*filter", *chains, *rules, "COMMIT", ""])


def network(nodes: Mapping[str, Node] | None = None, **pods: bool) -> Network:
    """Return the cluster; a pod given as False does not run."""
    given = nodes or {}
    default = Node()
    return Network(
        hosts={name: _host(name, given.get(name, default)) for name in NODES},
        pods=tuple(
            PodSite(f"default/{pod}", f"node-{pod[0]}", (ip,), pods.get(pod, True))
            for pod, ip in PODS.items()
        ),
        pod_ranges=tuple(f"10.0.{number}.0/24" for number in NODES.values()),
        node_ports=frozenset({30080}),
    )


def trace(
    nodes: Mapping[str, Node] | None, origin: str, address: str = VIP, port: int = 80, **pods: bool
) -> Trace:
    """Trace from `a1`, `node-a` or `198.51.100.9@node-a`."""
    return Simulator(network(nodes, **pods)).trace(Query(_origin(origin), address, port))


def only(found: Trace) -> Outcome:
    """Return the only outcome."""
    assert len(found.outcomes) == 1, [(o.verdict, o.reason) for o in found.outcomes]
    return found.outcomes[0]


def _origin(text: str) -> Origin:
    address, at, node = text.partition("@")
    if at:
        return FromOutside(address, node)
    return FromHost(text) if text in NODES else FromPod(f"default/{text}")


def _host(name: str, node: Node) -> Host:
    own = NODES[name]
    here = SourceRef(f"nodes/{name}/ip-addr.json", 1)
    usual = (
        Route("unicast", "0.0.0.0/0", "192.0.2.254", "eth0", "main", 0, here),
        Route("unicast", "192.0.2.0/24", "", "eth0", "main", 0, here),
        Route("unicast", f"10.0.{own}.0/24", "", "cbr0", "main", 0, here),
        *(
            Route("unicast", f"10.0.{other}.0/24", f"192.0.2.{other}", "eth0", "main", 0, here)
            for other in NODES.values()
            if other != own
        ),
    )
    rulesets = {}
    if node.rules is not None:
        path = f"nodes/{name}/iptables-save.txt"
        rulesets[Family.IPV4] = parse_iptables_save(path, node.rules, Family.IPV4)
    settings = _DEFAULTS | dict(node.sysctls)
    hairpin = () if node.hairpin is None else (BridgePort("cbr0", "veth0", node.hairpin, here),)
    return Host(
        name=name,
        rulesets=rulesets,
        addresses=(
            InterfaceAddress("lo", "127.0.0.1", 8, here),
            InterfaceAddress("eth0", f"192.0.2.{own}", 24, here),
            InterfaceAddress("cbr0", f"10.0.{own}.1", 24, here),
        ),
        links=(Link("cbr0", frozenset({"UP"}), 1500, "bridge", "", None, 0, here),),
        routes=(*node.routes, *(r for r in usual if r.destination not in node.without_routes)),
        route_rules=node.route_rules,
        bridge_ports=hairpin,
        sysctls={n: Sysctl(n, v, here) for n, v in settings.items() if v},
        sockets=tuple(Socket("TCP", "*", port, here) for port in node.ports),
        absent=node.absent,
        unexecuted={Family.IPV4: node.unexecuted},
    )

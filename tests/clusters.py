"""Healthy clusters composed by rule: kube-proxy 1.14 to 1.29 in iptables mode, any address plan.

What is written here comes from kube-proxy's source and rulesets, and nothing of it from
`analyzer.expect`: the analysis is held to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import ip_network
from typing import Any

CREATED = "2026-11-23T03:00:00Z"
READY = "2026-11-23T03:05:00Z"
COLLECTED = "2026-11-23T04:00:00Z"
Json = dict[str, Any]
Files = dict[str, str]


@dataclass(frozen=True)
class Plan:
    """What a cluster is made of."""

    version: str = "1.28.3"
    nodes: tuple[str, ...] = ("cp-1", "worker-1", "worker-2")
    empty: tuple[str, ...] = ("cp-1",)
    """Nodes without any pod but kube-proxy's."""

    families: tuple[int, ...] = (4,)
    """The first one is the Services' own."""

    pod_range: str = "172.20.0.0/16"
    pod_range6: str = "fd00:172:20::/56"
    service_range: str = "10.43.0.0/16"
    service_range6: str = "fd00:10:43::/112"
    detect: str = "ClusterCIDR"
    """detectLocalMode; empty for none: kube-proxy is given no range either."""

    cluster_cidr: str = ""
    """What kube-proxy is told; the pods' ranges by default."""

    masquerade_all: bool = False
    masquerade_bit: int = 14
    node_port_addresses: tuple[str, ...] = ()
    localhost_node_ports: bool = True
    backend: str = "nft"
    modern_api: bool = True
    """The API server knows EndpointSlices and the Services' families."""

    @property
    def minor(self) -> int:
        return int(self.version.split(".")[1])

    @property
    def workers(self) -> tuple[str, ...]:
        return tuple(n for n in self.nodes if n not in self.empty)

    def pods(self, family: int) -> str:
        return self.pod_range if family == 4 else self.pod_range6

    def node_ip(self, node: str, family: int) -> str:
        place = 11 + self.nodes.index(node)
        return f"10.10.0.{place}" if family == 4 else f"fd00:10:10::{place}"

    def pod_cidr(self, node: str, family: int) -> str:
        return _subnet(self.pods(family), 24 if family == 4 else 64, self.nodes.index(node))

    def pod_ip(self, node: str, place: int, family: int) -> str:
        return _address(self.pod_cidr(node, family), place)

    def service_ip(self, place: int, family: int) -> str:
        return _address(self.service_range if family == 4 else self.service_range6, place)

    def told_cidr(self, family: int) -> str:
        """Return the part of clusterCIDR of a family."""
        if not self.cluster_cidr:
            return self.pods(family)
        parts = self.cluster_cidr.split(",")
        return next((p for p in parts if ip_network(p).version == family), "")


@dataclass(frozen=True)
class Port:
    """A port of a Service; `target` is the number that pods listen on."""

    name: str
    port: int
    target: int
    protocol: str = "TCP"
    node_port: int = 0
    by_name: str = ""
    """The targetPort where it is a name."""


@dataclass(frozen=True)
class Service:
    """A Service; `place` is that of its address in the Services' range, 0 for headless."""

    key: str
    place: int
    ports: tuple[Port, ...] = ()
    app: str = ""
    """Label of the pods; empty for no selector."""

    type: str = "ClusterIP"
    external_ips: tuple[str, ...] = ()
    load_balancer: str = ""
    ranges: tuple[str, ...] = ()
    external_local: bool = False
    internal_local: bool = False
    health_port: int = 0
    affinity: bool = False
    dual: bool = False
    addresses: tuple[str, ...] = ()
    """Endpoints written by hand."""

    external_name: str = ""

    @property
    def namespace(self) -> str:
        return self.key.split("/")[0]

    @property
    def name(self) -> str:
        return self.key.split("/")[1]

    @property
    def proxied(self) -> bool:
        return self.place > 0


@dataclass(frozen=True)
class Pod:
    """A pod of a Deployment, or of a DaemonSet on the node's own network."""

    name: str
    namespace: str
    app: str
    node: str
    place: int
    """That of its address in the node's range; 0 on the node's own network."""

    ports: tuple[tuple[str, int, str], ...] = ()


WORKLOADS = (
    (
        "kube-system/coredns",
        2,
        (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")),
    ),
    ("store/front", 3, (("http", 8080, "TCP"), ("metrics", 9100, "TCP"))),
    ("store/checkout", 2, (("http", 8081, "TCP"),)),
    ("store/basket", 2, (("rpc", 7071, "TCP"),)),
    ("store/ledger", 2, (("pg", 5432, "TCP"),)),
    ("store/edge", 2, (("http", 8000, "TCP"),)),
    ("store/find", 2, (("http", 9200, "TCP"),)),
    ("store/gauge", 1, (("gauge", 8125, "UDP"),)),
    ("store/signal", 2, (("m3ua", 2905, "SCTP"),)),
    ("store/nearby", 4, (("http", 8090, "TCP"),)),
    ("default/client", 2, ()),
)


def services(plan: Plan) -> tuple[Service, ...]:
    """Return the Services of every kind that the version knows."""
    first = plan.families[0]
    outside = "10.10.0.200" if first == 4 else "fd00:10:10::200"
    api = plan.node_ip(plan.nodes[0], first)
    vips = ("203.0.113.31", "203.0.113.32") if first == 4 else ("2001:db8:3::31", "2001:db8:3::32")
    extra = "198.51.100.40" if first == 4 else "2001:db8:5::40"
    ranges = ("10.10.0.0/24", plan.pods(4)) if first == 4 else ("fd00:10:10::/64", plan.pods(6))
    found = [
        Service("default/kubernetes", 1, (Port("https", 443, 6443),), addresses=(api,)),
        Service(
            "kube-system/kube-dns",
            10,
            (Port("dns", 53, 53, "UDP"), Port("dns-tcp", 53, 53), Port("metrics", 9153, 9153)),
            "coredns",
        ),
        Service(
            "store/front",
            101,
            (Port("http", 80, 8080, by_name="http"), Port("metrics", 9100, 9100)),
            "front",
        ),
        Service(
            "store/front-np", 102, (Port("http", 80, 8080, "TCP", 30180),), "front", "NodePort"
        ),
        Service(
            "store/checkout",
            103,
            (Port("http", 80, 8081, "TCP", 30190),),
            "checkout",
            "NodePort",
            external_local=True,
        ),
        Service(
            "store/checkout-lb",
            104,
            (Port("http", 80, 8081, "TCP", 30191),),
            "checkout",
            "LoadBalancer",
            load_balancer=vips[0],
            external_local=True,
            health_port=32190,
        ),
        Service(
            "store/front-lb",
            105,
            (Port("https", 8443, 8080, "TCP", 30443, "http"),),
            "front",
            "LoadBalancer",
            load_balancer=vips[1],
            ranges=ranges,
        ),
        Service("store/basket", 106, (Port("", 7070, 7071),), "basket", affinity=True),
        Service("store/find", 107, (Port("http", 9200, 9200),), "find", external_ips=(extra,)),
        Service("store/gauge", 108, (Port("gauge", 8125, 8125, "UDP"),), "gauge"),
        Service("store/signal", 109, (Port("m3ua", 2905, 2905, "SCTP"),), "signal"),
        Service("store/ledger", 110, (Port("pg", 5432, 5432, by_name="pg"),), "ledger"),
        Service("store/ledger-peers", 0, (Port("pg", 5432, 5432),), "ledger"),
        Service("store/edge", 111, (Port("http", 80, 8000, by_name="http"),), "edge", dual=True),
        Service("store/legacy-db", 112, (Port("pg", 5432, 5432),), addresses=(outside,)),
        Service("store/partner", 0, type="ExternalName", external_name="partner.example.com"),
    ]
    if plan.minor >= 26:
        near = Service(
            "store/nearby", 113, (Port("http", 80, 8090),), "nearby", internal_local=True
        )
        found.append(near)
    return tuple(found)


@dataclass(frozen=True)
class Endpoint:
    """An address and port that a Service's traffic goes to, and the node where it is known."""

    address: str
    port: int
    node: str
    pod: Pod | None

    def __str__(self) -> str:
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )


class Cluster:
    """A plan with its pods and endpoints."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.services = services(plan)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """Replicas spread over the nodes that take pods, and kube-proxy on all."""
        found = [Pod(f"kube-proxy-{n}", "kube-system", "kube-proxy", n, 0) for n in self.plan.nodes]
        places = dict.fromkeys(self.plan.nodes, 10)
        for key, replicas, ports in WORKLOADS:
            namespace, app = key.split("/")
            for i in range(replicas):
                node = self.plan.workers[i % len(self.plan.workers)]
                name = f"{app}-6d4cf56db6-{'bcdfg'[i]}x{'hjklm'[i]}2p"
                found.append(Pod(name, namespace, app, node, places[node], ports))
                places[node] += 1
        return tuple(found)

    def families(self, service: Service) -> tuple[int, ...]:
        return self.plan.families if service.dual else self.plan.families[:1]

    def endpoints(self, service: Service, port: Port, family: int) -> tuple[Endpoint, ...]:
        if service.addresses:
            return tuple(Endpoint(a, port.target, "", None) for a in service.addresses)
        return tuple(
            Endpoint(self.plan.pod_ip(p.node, p.place, family), port.target, p.node, p)
            for p in self.pods
            if p.namespace == service.namespace and p.app == service.app and p.app
        )


def uid(*parts: object) -> str:
    """Return an id that depends on the parts only."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def listed(items: Sequence[Json]) -> str:
    """Return a List as kubectl prints it."""
    whole = {
        "apiVersion": "v1",
        "items": items,
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }
    return json.dumps(whole, indent=4) + "\n"


def meta(kind: str, namespace: str, name: str, **more: Any) -> Json:
    """Return an object's metadata."""
    place = {"namespace": namespace} if namespace else {}
    own = {"creationTimestamp": CREATED, "name": name, **place, "resourceVersion": "1200"}
    return {**own, "uid": uid(kind, namespace, name), **more}


def manifest(files: Mapping[str, str]) -> str:
    """Return the manifest of the files."""
    entries = [
        {
            "path": path,
            "startedAt": COLLECTED,
            "exitCode": 0,
            "bytes": len(text.encode()),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "truncated": False,
        }
        for path, text in sorted(files.items())
    ]
    nodes = {path.split("/")[1]: {"method": "kubectl-exec"} for path in files if "nodes/" in path}
    whole = {
        "format": "svcbundle/v1",
        "tool": {"name": "tests", "version": "1"},
        "cluster": "second",
        "createdAt": COLLECTED,
        "redacted": False,
        "nodes": nodes,
        "entries": entries,
        "missing": [],
    }
    return json.dumps(whole, indent=1)


@cache
def _subnet(whole: str, length: int, place: int) -> str:
    network = ip_network(whole)
    return f"{network[place << (network.max_prefixlen - length)]}/{length}"


@cache
def _address(network: str, place: int) -> str:
    return str(ip_network(network)[place])

"""Bundles of clusters of any size, the same bytes each time.

`python -m bench.generate --services 10000 --nodes 1 DIRECTORY` writes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import click
import msgspec

from bench import objects
from bench.plan import Plan, PlannedNode
from bench.rules import iptables_save

_PROXY_CONFIG = """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
clusterCIDR: 10.128.0.0/9
kind: KubeProxyConfiguration
mode: iptables
"""
_SYSCTLS = """\
net.ipv4.ip_forward = 1
net.ipv4.conf.all.rp_filter = 0
net.ipv4.conf.all.route_localnet = 1
net.bridge.bridge-nf-call-iptables = 1
net.netfilter.nf_conntrack_count = 120
net.netfilter.nf_conntrack_max = 262144
"""
_PROCESSES = """\
  PID STAT COMMAND
 2437 Ssl  /usr/local/bin/kube-proxy --config=/var/lib/kube-proxy/config.conf --v=2
"""
DUMPS: dict[str, Callable[[Plan], Iterator[objects.Json]]] = {
    "nodes": objects.nodes,
    "namespaces": objects.namespaces,
    "services": objects.services,
    "endpoints": objects.endpoints,
    "endpointslices": objects.slices,
    "pods": objects.pods,
}
"""What lists the objects of each resource."""


def write_bundle(plan: Plan, directory: Path) -> None:
    """Write the cluster as the directory of a bundle, which must not have files of another one."""
    cluster = directory / "cluster"
    cluster.mkdir(parents=True, exist_ok=True)
    for name, items in DUMPS.items():
        _write(cluster / f"{name}.json", _list(items(plan)))
    version = {"major": "1", "minor": "30", "gitVersion": objects.VERSION}
    _write(cluster / "version.json", [_pretty(version)])
    for node in plan.node_list:
        files = directory / "nodes" / node.name
        files.mkdir(parents=True, exist_ok=True)
        saved = list(iptables_save(plan, node))
        _write(files / "iptables-save.txt", (piece.encode() for piece in saved))
        _write(files / "nft-ruleset.json", _nft_ruleset(saved))
        _write(files / "ip-route.json", [msgspec.json.encode(list(_routes(plan, node)))])
        _write(files / "kube-proxy-mode.txt", [b"iptables\n"])
        _write(files / "kube-proxy-config.yaml", [_PROXY_CONFIG.encode()])
        _write(files / "processes.txt", [_PROCESSES.encode()])
        _write(files / "sysctl.txt", [_SYSCTLS.encode()])


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)


def _list(items: Iterator[objects.Json]) -> Iterator[bytes]:
    """Yield a list of the API as kubectl prints it."""
    yield b'{\n    "apiVersion": "v1",\n    "items": ['
    for number, item in enumerate(items):
        yield (b",\n" if number else b"\n") + _pretty(item)
    yield b'\n    ],\n    "kind": "List"\n}\n'


def _pretty(item: Any) -> bytes:  # noqa: ANN401 - any JSON
    return msgspec.json.format(msgspec.json.encode(item), indent=4)


def _routes(plan: Plan, node: PlannedNode) -> Iterator[objects.Json]:
    """Yield the routes of a bridge plugin: own pods on the bridge, those of others by way of their nodes."""
    yield {"dst": "default", "gateway": "192.168.0.1", "dev": "eth0", "flags": []}
    for other in plan.node_list:
        way = {"dev": "cbr0"} if other is node else {"gateway": other.ip, "dev": "eth0"}
        yield {"dst": str(other.pod_range), **way, "flags": []}


def _nft_ruleset(saved: Iterable[str]) -> Iterator[bytes]:
    """Yield what `nft -j list ruleset` shows of the chains and rules that iptables-nft saved."""
    lines = chain.from_iterable(piece.splitlines() for piece in saved)
    yield b'{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}'
    table = ""
    for handle, line in enumerate(lines, start=1):
        kind, _, words = line.partition(" ")
        placed = {"family": "ip", "table": table}
        if line.startswith("*"):
            table = line[1:]
            item = {"table": {"family": "ip", "name": table, "handle": handle}}
        elif line.startswith(":"):
            hook = {"hook": kind[1:].lower()} if "ACCEPT" in words else {}
            item = {"chain": {**placed, "name": kind[1:], "handle": handle, **hook}}
        elif kind == "-A":
            name, _, rest = words.partition(" ")
            target = rest.rpartition(" -j ")[2].partition(" ")[0]
            counted = {"counter": {"packets": 0, "bytes": 0}}
            expressions = [
                {"xt": {"type": "match", "name": "tcp"}},
                counted,
                {"jump": {"target": target}},
            ]
            item = {"rule": {**placed, "chain": name, "handle": handle, "expr": expressions}}
        else:
            continue
        yield b", " + msgspec.json.encode(item)
    yield b"]}\n"


@click.command()
@click.option("--services", type=int, required=True)
@click.option("--endpoints", type=int, default=10, show_default=True)
@click.option("--nodes", type=int, default=1, show_default=True)
@click.option("--node-port-every", type=int, default=0)
@click.option("--affinity-every", type=int, default=0)
@click.option("--local-every", type=int, default=0)
@click.option("--stale", type=int, default=0)
@click.option("--mistyped", type=int, default=0)
@click.option("--settings", type=int, default=0)
@click.argument("directory", type=click.Path(path_type=Path))
def main(directory: Path, **sizes: int) -> None:
    """Write the bundle of a generated cluster."""
    write_bundle(Plan(**sizes), directory)


if __name__ == "__main__":
    main()

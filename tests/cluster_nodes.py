"""The files of a composed cluster's nodes and pods, and the whole bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.cluster_objects import objects
from tests.cluster_rules import saved_rules
from tests.clusters import Cluster, Files, Json, Pod, manifest

_PID = 2144
_MACS = "0a:58:ac:14:00"


def composed(cluster: Cluster) -> Files:
    """Return the files of a healthy bundle by path."""
    plan = cluster.plan
    files = objects(cluster, _config(cluster))
    for node in plan.nodes:
        files |= {f"nodes/{node}/{name}": text for name, text in _node_files(cluster, node).items()}
    dns = plan.service_ip(10, plan.families[0])
    for pod in cluster.pods:
        if pod.place:
            path = f"pods/{pod.namespace}/{pod.name}/resolv.conf"
            files[path] = _resolv_conf(pod, dns)
    return files


def with_manifest(files: Files) -> dict[str, bytes]:
    """Return the files with the manifest that fits them, as bytes."""
    return {p: t.encode() for p, t in {**files, "manifest.json": manifest(files)}.items()}


def _resolv_conf(pod: Pod, dns: str) -> str:
    if pod.app == "coredns":
        return "nameserver 10.10.0.1\nsearch example.internal\n"
    search = f"{pod.namespace}.svc.cluster.local svc.cluster.local cluster.local example.internal"
    return f"search {search}\nnameserver {dns}\noptions ndots:5\n"


def _node_files(cluster: Cluster, node: str) -> Files:
    plan = cluster.plan
    pods = [p for p in cluster.pods if p.node == node and p.place]
    links = [f"veth{i:02x}c0ffee" for i in range(len(pods))]
    rules = {}
    both = plan.minor >= 23
    for family, name in ((4, "iptables-save.txt"), (6, "ip6tables-save.txt")):
        if family in plan.families or both:
            rules[name] = saved_rules(cluster, node, family)
    kind = "nf_tables" if plan.backend == "nft" else "legacy"
    return {
        **rules,
        "iptables-version.txt": f"iptables v1.8.9 ({kind})\n",
        "ip-addr.json": json.dumps(list(_addresses(cluster, node, links))),
        "ip-link.json": json.dumps(list(_links(links))),
        "ip-route.json": json.dumps(list(_routes(cluster, node))),
        "ip-rule.txt": "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n",
        "sysctl.txt": _sysctl(),
        "hairpin.txt": "".join(
            f"/sys/devices/virtual/net/cni0/brif/{link}/hairpin_mode:1\n" for link in links
        ),
        "processes.txt": (
            f"  PID STAT COMMAND\n {_PID} Ssl  /usr/local/bin/kube-proxy "
            f"--config=/var/lib/kube-proxy/config.conf --hostname-override={node} --v=4\n"
        ),
        "kube-proxy.log": log(cluster, node),
        "kube-proxy-mode.txt": "iptables",
        "kube-proxy-healthz.json": (
            '{"lastUpdated": "2026-11-23 03:57:58.1 +0000 UTC m=+15.1",'
            '"currentTime": "2026-11-23 03:58:00.2 +0000 UTC m=+17.1"}'
        ),
        "kube-proxy-configz.json": json.dumps({"kubeproxy.config.k8s.io": _configz(cluster, node)}),
        "kube-proxy-config.yaml": _config(cluster),
        "resolv.conf": "nameserver 10.10.0.1\nsearch example.internal\n",
        "sockets.txt": _sockets(cluster),
    }


def _sysctl() -> str:
    names = {
        "net.ipv4.ip_forward": 1,
        "net.ipv6.conf.all.forwarding": 1,
        "net.ipv4.conf.all.rp_filter": 0,
        "net.ipv4.conf.all.route_localnet": 1,
        "net.bridge.bridge-nf-call-iptables": 1,
        "net.bridge.bridge-nf-call-ip6tables": 1,
        "net.netfilter.nf_conntrack_count": 312,
        "net.netfilter.nf_conntrack_max": 262144,
        "net.netfilter.nf_conntrack_tcp_be_liberal": 0,
    }
    return "".join(f"{name} = {value}\n" for name, value in names.items())


def _sockets(cluster: Cluster) -> str:
    lines = ["Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess"]
    ports = ["127.0.0.1:10249", "*:10256"]
    for service in cluster.services:
        if service.health_port:
            ports.append(f"*:{service.health_port}")
        if cluster.plan.minor <= 23:
            ports += [f"*:{p.node_port}" for p in service.ports if p.node_port]
    lines += [f"tcp   LISTEN 0      4096   {port:>20}  *:*" for port in ports]
    return "\n".join(lines) + "\n"


def _address(ip: str, length: int, scope: str = "global") -> Json:
    family = "inet6" if ":" in ip else "inet"
    return {"family": family, "local": ip, "prefixlen": length, "scope": scope}


def _interface(index: int, name: str, **more: object) -> Json:
    flags = ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]
    mac = f"{_MACS}:{index:02x}"
    return {
        "ifindex": index,
        "ifname": name,
        "flags": flags,
        "mtu": 1500,
        "qdisc": "noqueue",
        "operstate": "UP",
        "link_type": "ether",
        "address": mac,
        **more,
    }


def _loopback(**more: object) -> Json:
    flags = ["LOOPBACK", "UP", "LOWER_UP"]
    base = {"ifindex": 1, "ifname": "lo", "flags": flags, "mtu": 65536, "operstate": "UNKNOWN"}
    return {**base, "link_type": "loopback", **more}


def _addresses(cluster: Cluster, node: str, links: list[str]) -> Iterator[Json]:
    plan = cluster.plan
    yield _loopback(addr_info=[_address("127.0.0.1", 8, "host"), _address("::1", 128, "host")])
    own = [_address(plan.node_ip(node, f), 24 if f == 4 else 64) for f in plan.families]
    yield _interface(2, "eth0", addr_info=own)
    if not links:
        return
    bridge = [_address(plan.pod_ip(node, 1, f), 24 if f == 4 else 64) for f in plan.families]
    yield _interface(3, "cni0", addr_info=bridge)
    for i, link in enumerate(links):
        yield _interface(4 + i, link, master="cni0", addr_info=[])


def _links(links: list[str]) -> Iterator[Json]:
    yield _loopback(promiscuity=0)
    yield _interface(2, "eth0", promiscuity=0)
    if not links:
        return
    yield _interface(3, "cni0", promiscuity=0, linkinfo={"info_kind": "bridge", "info_data": {}})
    for i, link in enumerate(links):
        port = {"state": "forwarding", "hairpin": True}
        kind = {"info_kind": "veth", "info_slave_kind": "bridge", "info_slave_data": port}
        yield _interface(4 + i, link, master="cni0", promiscuity=1, linkinfo=kind)


def _routes(cluster: Cluster, node: str) -> Iterator[Json]:
    plan = cluster.plan
    for family in plan.families:
        near = "10.10.0" if family == 4 else "fd00:10:10:"
        own, pods = plan.node_ip(node, family), plan.pod_cidr(node, family)
        yield {
            "dst": "default",
            "gateway": f"{near}{'.' if family == 4 else ':'}1",
            "dev": "eth0",
            "flags": [],
        }
        if any(p.node == node and p.place for p in cluster.pods):
            yield {"dst": pods, "dev": "cni0", "protocol": "kernel", "scope": "link", "flags": []}
        for other in plan.nodes:
            if other != node:
                gateway = plan.node_ip(other, family)
                yield {
                    "dst": plan.pod_cidr(other, family),
                    "gateway": gateway,
                    "dev": "eth0",
                    "flags": [],
                }
        net = f"{near}.0/24" if family == 4 else f"{near}:/64"
        yield {"dst": net, "dev": "eth0", "protocol": "kernel", "scope": "link", "flags": []}
        for ip, device in ((own, "eth0"), (plan.pod_ip(node, 1, family), "cni0")):
            yield {"type": "local", "dst": ip, "dev": device, "table": "local", "flags": []}
    for dst in ("127.0.0.0/8", "127.0.0.1", "::1"):
        yield {"type": "local", "dst": dst, "dev": "lo", "table": "local", "flags": []}


def _told(cluster: Cluster) -> str:
    plan = cluster.plan
    if plan.detect == "ClusterCIDR":
        return plan.cluster_cidr or ",".join(plan.pods(f) for f in plan.families)
    return ""


def _mode(cluster: Cluster) -> str:
    return cluster.plan.detect or ("ClusterCIDR" if cluster.plan.minor >= 18 else "")


def _config(cluster: Cluster) -> str:
    plan = cluster.plan
    known = [f"clusterCIDR: {json.dumps(_told(cluster))}"]
    if plan.minor >= 18:
        known.append(f"detectLocalMode: {json.dumps(_mode(cluster))}")
    if plan.minor >= 23:
        bridge = "cni0" if plan.detect == "BridgeInterface" else ""
        prefix = "veth" if plan.detect == "InterfaceNamePrefix" else ""
        known.append(
            f'detectLocal:\n  bridgeInterface: "{bridge}"\n  interfaceNamePrefix: "{prefix}"'
        )
    known.append(
        f"iptables:\n  masqueradeAll: {json.dumps(plan.masquerade_all)}\n"
        f"  masqueradeBit: {plan.masquerade_bit}\n  minSyncPeriod: 1s\n  syncPeriod: 30s"
    )
    if plan.minor >= 26:
        known[-1] += f"\n  localhostNodePorts: {json.dumps(plan.localhost_node_ports)}"
    addresses = json.dumps(list(plan.node_port_addresses)) if plan.node_port_addresses else "null"
    lines = [
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1",
        "bindAddress: 0.0.0.0",
        "clientConnection:\n  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf",
        *known,
        'hostnameOverride: ""',
        "kind: KubeProxyConfiguration",
        'mode: "iptables"',
        f"nodePortAddresses: {addresses}",
    ]
    return "\n".join(lines) + "\n"


def _configz(cluster: Cluster, node: str) -> Json:
    plan = cluster.plan
    tables: Json = {
        "MasqueradeBit": plan.masquerade_bit,
        "MasqueradeAll": plan.masquerade_all,
        "SyncPeriod": "30s",
        "MinSyncPeriod": "1s",
    }
    if plan.minor >= 26:
        tables["LocalhostNodePorts"] = plan.localhost_node_ports
    found: Json = {
        "BindAddress": "0.0.0.0",
        "ClusterCIDR": _told(cluster),
        "HostnameOverride": node,
        "IPTables": tables,
        "Mode": "iptables",
        "NodePortAddresses": list(plan.node_port_addresses) or None,
    }
    if plan.minor >= 18:
        found["DetectLocalMode"] = _mode(cluster)
    if plan.minor >= 23:
        found["DetectLocal"] = {
            "BridgeInterface": "cni0" if plan.detect == "BridgeInterface" else "",
            "InterfaceNamePrefix": "veth" if plan.detect == "InterfaceNamePrefix" else "",
        }
    return found


def line(
    text: str, time: str = "03:57:40.100000", level: str = "I", place: str = "server.go:100"
) -> str:
    """Return a line of klog."""
    return f"{level}1123 {time}    {_PID} {place}] {text}\n"


def log(cluster: Cluster, node: str) -> str:
    """Return what kube-proxy logs when it starts, in its version's words."""
    plan, minor = cluster.plan, cluster.plan.minor
    ip = plan.node_ip(node, plan.families[0])
    new = minor >= 23
    lines = []
    if 17 <= minor < 29:
        lines.append(
            line(
                f'"Successfully retrieved node IP" nodeIP="{ip}"'
                if new
                else f"Successfully retrieved node IP: {ip}"
            )
        )
    elif new:
        lines.append(line(f'"Successfully retrieved node IP(s)" IPs=["{ip}"]'))
    if minor >= 23:
        lines.append(line('"kube-proxy running in dual-stack mode" ipFamily=IPv4'))
    if not plan.detect and not new:
        lines.append(line(_no_cidr(minor), level="W"))
    elif not plan.detect:
        lines.append(line(_no_cidr(minor)))
    lines.append(line('"Using iptables Proxier"' if new else "Using iptables Proxier."))
    if minor < 16:
        lines.append(line("Tearing down inactive rules."))
    lines.append(
        line(f'"Version info" version="v{plan.version}"' if new else f"Version: v{plan.version}")
    )
    kinds = ("service", "endpoints" if minor <= 18 else "endpoint slice")
    for kind in kinds:
        lines.append(
            line(
                f'"Starting {kind} config controller"'
                if new
                else f"Starting {kind} config controller"
            )
        )
        lines.append(line(f"Waiting for caches to sync for {kind} config", "03:57:40.200000"))
        lines.append(
            line(
                f"Caches are synced for {kind} config",
                "03:57:40.300000",
                place="shared_informer.go:247",
            )
        )
    if minor == 23:
        lines += _opened_twice(cluster)
    done = (
        '"SyncProxyRules complete" elapsed="21.4ms"'
        if minor >= 21
        else "syncProxyRules took 21.4ms"
    )
    lines += [line(done, f"03:57:{s}.400000", place="proxier.go:820") for s in (40, 58)]
    return "".join(lines)


def _no_cidr(minor: int) -> str:
    if minor < 18:
        return (
            "clusterCIDR not specified, unable to distinguish between internal and external traffic"
        )
    text = "etect-local-mode set to ClusterCIDR, but no cluster CIDR defined"
    return f"d{text}" if minor < 23 else f'"D{text}"'


def _opened_twice(cluster: Cluster) -> list[str]:
    """1.23 opens each node port and then fails to open it again for the other family."""
    lines = []
    for service in cluster.services:
        for port in service.ports:
            if port.node_port:
                key = f"{service.key}:{port.name}"
                shown = f'"\\"nodePort for {key}\\" (:{port.node_port}/tcp4)"'
                lines.append(line(f'"Opened local port" port={shown}', "03:57:40.350000"))
                busy = f'err="listen tcp4 :{port.node_port}: bind: address already in use" port={shown}'
                lines.append(
                    line(f'"can\'t open port, skipping it" {busy}', "03:57:40.360000", "E")
                )
    return lines

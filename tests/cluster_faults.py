"""What can be broken on a composed cluster: each fault changes the files of a healthy bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from tests.cluster_nodes import line
from tests.cluster_rules import chain_of, endpoint_chain_of, saved_rules
from tests.clusters import Cluster, Endpoint, Files, Plan, Port, Service

Fault = Callable[[Cluster, Files], None]
NODE = "worker-1"
IPV4 = f"nodes/{NODE}/iptables-save.txt"
IPV6 = f"nodes/{NODE}/ip6tables-save.txt"
LOG = f"nodes/{NODE}/kube-proxy.log"
TIMES = tuple(
    f"03:{minute}:{second:02d}.500000" for minute in (55, 56, 57) for second in (5, 25, 55)
)
REFUSED = "<get>: dial tcp 10.10.0.11:6443: connect: connection refused"
FORBIDDEN = '<path> is forbidden: User "system:kube-proxy" cannot list resource "<path>"<group> at the cluster scope'


def without(pattern: str, path: str = IPV4) -> Fault:
    """Take out the lines that match; for `<svc>` and others see `_filled`."""

    def apply(cluster: Cluster, files: Files) -> None:
        found = re.compile(_filled(cluster, pattern))
        lines = files[path].splitlines(keepends=True)
        kept = [text for text in lines if not found.search(text)]
        assert len(kept) < len(lines), f"nothing to take out: {found.pattern}"
        files[path] = "".join(kept)

    return apply


def replaced(pattern: str, by: str, path: str = IPV4, *, count: int = 1) -> Fault:
    """Replace the first matches of a regular expression; all with count 0."""

    def apply(cluster: Cluster, files: Files) -> None:
        changed = re.sub(_filled(cluster, pattern), by, files[path], count=count)
        assert changed != files[path], f"nothing to replace: {pattern}"
        files[path] = changed

    return apply


def in_filter(chain: str, rule: str, path: str = IPV4) -> Fault:
    """Put a rule at the top of a chain of the filter table."""
    return replaced(r"(\*filter\n(?:[:#][^\n]*\n)*)", rf"\g<1>[0:0] -A {chain} {rule}\n", path)


def forward_drop(path: str = IPV4) -> Fault:
    """Let the policy of filter FORWARD be DROP."""
    return replaced(r"(\*filter\n:INPUT [^\n]*\n:FORWARD )ACCEPT", r"\1DROP", path)


def all_of(*faults: Fault) -> Fault:
    """Apply one after the other."""

    def apply(cluster: Cluster, files: Files) -> None:
        for fault in faults:
            fault(cluster, files)

    return apply


def added(path: str, text: str) -> Fault:
    """Add text to the end of a file."""

    def apply(_: Cluster, files: Files) -> None:
        files[path] = files.get(path, "") + text

    return apply


def empty(*paths: str) -> Fault:
    """Let files be empty."""

    def apply(_: Cluster, files: Files) -> None:
        files.update(dict.fromkeys(paths, ""))

    return apply


def logged(*texts: str, level: str = "E") -> Fault:
    """Let kube-proxy log these again and again, a sync after each."""

    def apply(cluster: Cluster, files: Files) -> None:
        for time in TIMES:
            files[LOG] += "".join(line(text, time, level) for text in texts) + synced(cluster, time)

    return apply


def synced(cluster: Cluster, time: str) -> str:
    """Return the line at the end of a sync; it comes after failed ones as well."""
    if cluster.plan.minor >= 21:
        return line('"SyncProxyRules complete" elapsed="5.0s"', time)
    return line("syncProxyRules took 5.0s", time)


def stopped(_: Cluster, files: Files) -> None:
    """Let kube-proxy be gone from the node: no process, no pod, and nobody answers."""
    files[f"nodes/{NODE}/processes.txt"] = "  PID STAT COMMAND\n"
    for name in ("kube-proxy-mode.txt", "kube-proxy-healthz.json", "kube-proxy-configz.json"):
        del files[f"nodes/{NODE}/{name}"]
    pods = json.loads(files["cluster/pods.json"])
    pods["items"] = [p for p in pods["items"] if p["metadata"]["name"] != f"kube-proxy-{NODE}"]
    files["cluster/pods.json"] = json.dumps(pods, indent=4)


def no_rules(_: Cluster, files: Files) -> None:
    """Leave no rule at all on the node."""
    for path in (IPV4, IPV6):
        if path in files:
            files[path] = ""


def restarted_without(*lines: str) -> Fault:
    """Let the log hold the start and then these lines only: kube-proxy came not further and wrote no rule."""

    def apply(cluster: Cluster, files: Files) -> None:
        start = [t for t in files[LOG].splitlines(keepends=True) if re.search("ersion|Using", t)]
        files[LOG] = "".join((*start, *lines))
        no_rules(cluster, files)

    return apply


def api_trouble(why: str) -> Fault:
    """Let every request of kube-proxy fail from the start, in its version's words."""

    def apply(cluster: Cluster, files: Files) -> None:
        kinds = {"Service": "services"}
        kinds |= (
            {"Endpoints": "endpoints"}
            if cluster.plan.minor <= 18
            else {"EndpointSlice": "endpointslices"}
        )
        lines = [_refused(cluster, k, p, why, t) for t in TIMES for k, p in kinds.items()]
        restarted_without(*lines)(cluster, files)

    return apply


def api_lost(cluster: Cluster, files: Files) -> None:
    """Let requests fail after a good start: the rules are there."""
    files[LOG] += "".join(_refused(cluster, "Service", "services", REFUSED, t) for t in TIMES)


def api_hiccup(cluster: Cluster, files: Files) -> None:
    """Let the first request fail, and the next one succeed."""
    first = _refused(cluster, "Service", "services", REFUSED, "03:57:40.150000")
    files[LOG] = first + files[LOG]


def _refused(cluster: Cluster, kind: str, path: str, why: str, time: str) -> str:
    minor = cluster.plan.minor
    url = f"https://10.10.0.11:6443/api/v1/{path}?limit=500&resourceVersion=0"
    group = "discovery.k8s.io" if kind == "EndpointSlice" else ""
    get = f"Get {url}" if minor <= 17 else f'Get "{url}"'
    text = why.replace("<get>", get).replace("<path>", path)
    text = text.replace("<group>", f' in API group "{group}"')
    source, listing = (
        "k8s.io/client-go/informers/factory.go:133",
        f"ailed to list *v1.{kind}: {text}",
    )
    told = f"F{listing}" if minor <= 18 else f"Failed to watch *v1.{kind}: f{listing}"
    return line(f"{source}: {told}", time, "E", "reflector.go:138")


def slices_gone(cluster: Cluster, files: Files) -> None:
    """Let 1.21 ask for EndpointSlices of a version that the API server has no more."""
    kind = "*v1beta1.EndpointSlice"
    told = f"Failed to watch {kind}: failed to list {kind}: the server could not find the requested resource"
    source = "k8s.io/client-go/informers/factory.go:134"
    lines = [line(f"{source}: {told}", t, "E", "reflector.go:138") for t in TIMES]
    restarted_without(line("Caches are synced for service config "), *lines)(cluster, files)


def lock_held(cluster: Cluster, files: Files) -> None:
    """Let another process hold the xtables lock; the rules are those from before."""
    minor, chain = cluster.plan.minor, "KUBE-EXTERNAL-SERVICES"
    inner = "exit status 4: Another app is currently holding the xtables lock. Stopped waiting after 5s."
    if minor <= 20:
        told = [
            f'Failed to ensure that filter chain {chain} exists: error creating chain "{chain}": {inner}'
        ]
    else:
        error = f'error creating chain \\"{chain}\\": {inner}\\n'
        told = [f'"Failed to ensure chain exists" err="{error}" table=filter chain={chain}']
    logged(*told)(cluster, files)
    retry = "Sync failed; retrying in 30s" if minor <= 20 else '"Sync failed" retryingTime="30s"'
    if minor >= 17:
        files[LOG] += line(retry, "03:57:59.000000")


def chains_of_kubelet_missing(cluster: Cluster, files: Files) -> None:
    """Let KUBE-MARK-DROP be absent, so that no restore up to 1.24 succeeds: hooks and empty chains are left."""
    keep = re.compile(r"^(?:[#*C]|:(?!KUBE-(?:SVC|SEP|FW|XLB|EXT)-)|.*-A [A-Z]+ )")
    lines = files[IPV4].splitlines(keepends=True)
    files[IPV4] = "".join(
        t for t in lines if keep.search(t) and "DROP -" not in t and "FIREWALL" not in t
    )
    told = (
        "iptables-restore v1.8.9 (nf_tables): Chain 'KUBE-MARK-DROP' does not exist",
        "Error occurred at line: 70",
    )
    if cluster.plan.minor <= 20:
        text = f"Failed to execute iptables-restore: exit status 2 ({told[0]}\n{told[1]}\n)"
    else:
        text = f'"Failed to execute iptables-restore" err=<\n\texit status 2: {told[0]}\n\t{told[1]}\n >'
    logged(text)(cluster, files)


def iptables_unusable(cluster: Cluster, files: Files) -> None:
    """Let kube-proxy end at its start, as where /run cannot be written."""
    stopped(cluster, files)
    no_rules(cluster, files)
    error = 'err="iptables is not supported for primary IP family \\"IPv4\\""'
    files[LOG] = line(f'"Error running ProxyServer" {error}', level="E", place="run.go:74")


def node_name_unknown(cluster: Cluster, files: Files) -> None:
    """Let kube-proxy go by another name than its Node's."""
    name = "ip-10-10-0-12.example.internal"
    new = cluster.plan.minor >= 27
    told = f'"Failed to retrieve node info" err="nodes \\"{name}\\" not found"'
    old = f'Failed to retrieve node info: nodes "{name}" not found'
    logged(told if new else old, level="W" if cluster.plan.minor <= 14 else "E")(cluster, files)
    files[LOG] = "".join(t for t in files[LOG].splitlines(keepends=True) if "Successfully" not in t)


def fell_back(_: Cluster, files: Files) -> None:
    """Let ipvs be configured and iptables be used."""
    for path in (f"nodes/{NODE}/kube-proxy-config.yaml", f"nodes/{NODE}/kube-proxy-configz.json"):
        files[path] = re.sub(r'([mM]ode"?: )"iptables"', r'\1"ipvs"', files[path])
    missing = (
        "the following required kernel modules are not loaded: [ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh]"
    )
    told = f"Can't use the IPVS proxier: IPVS proxier will not be used because {missing}"
    files[LOG] = line(told, level="E") + files[LOG]


def conntrack_missing(_: Cluster, files: Files) -> None:
    """Let the conntrack binary be absent."""
    inner = 'error looking for path of conntrack: exec: \\"conntrack\\": executable file not found in $PATH'
    files[LOG] += line(f'"Failed to delete stale service connections" err="{inner}"', level="E")


def rewritten_elsewhere(change: Callable[[Cluster], Cluster]) -> Fault:
    """Let the cluster change and only the other nodes' rules follow."""

    def apply(cluster: Cluster, files: Files) -> None:
        changed = change(cluster)
        for node in cluster.plan.nodes:
            if node != NODE:
                files[f"nodes/{node}/iptables-save.txt"] = saved_rules(changed, node, 4)

    return apply


class _Moved(Cluster):
    """A cluster where the first pod of store/front has a new address."""

    def endpoints(self, service: Service, port: Port, family: int) -> tuple[Endpoint, ...]:
        found = super().endpoints(service, port, family)
        return tuple(Endpoint(_moved(self, e.address), e.port, e.node, e.pod) for e in found)


def _moved(cluster: Cluster, address: str) -> str:
    pod = next(p for p in cluster.pods if p.app == "front")
    old = cluster.plan.pod_ip(pod.node, pod.place, 4)
    return cluster.plan.pod_ip(pod.node, 177, 4) if address == old else address


def endpoint_moved(cluster: Cluster, files: Files) -> None:
    """Let a pod be replaced and the node's rules still lead to the old address."""
    pod = next(p for p in cluster.pods if p.app == "front")
    old = cluster.plan.pod_ip(pod.node, pod.place, 4)
    for path in files:
        if path.startswith("cluster/"):
            files[path] = files[path].replace(f'"{old}"', f'"{_moved(cluster, old)}"')
    rewritten_elsewhere(lambda c: _Moved(c.plan))(cluster, files)


def service_deleted(cluster: Cluster, files: Files) -> None:
    """Let a Service be deleted and the node's rules still have it."""
    changed = Cluster(cluster.plan)
    changed.services = tuple(s for s in changed.services if s.name != "find")
    for kind in ("services", "endpoints", "endpointslices"):
        path = f"cluster/{kind}.json"
        if path in files:
            found = json.loads(files[path])
            kept = [i for i in found["items"] if not i["metadata"]["name"].startswith("find")]
            files[path] = json.dumps({**found, "items": kept}, indent=4)
    rewritten_elsewhere(lambda _: changed)(cluster, files)


def both_backends(cluster: Cluster, files: Files) -> None:
    """Let rules of another time be left in the other backend."""
    stale = Cluster(Plan(cluster.plan.version, backend="legacy", pod_range="172.21.0.0/16"))
    files[f"nodes/{NODE}/iptables-legacy-save.txt"] = saved_rules(stale, NODE, 4)
    files[f"nodes/{NODE}/iptables-nft-save.txt"] = files[IPV4]


def stale_backend_saved(cluster: Cluster, files: Files) -> None:
    """Let the dump of the backend in use be the one whose rules are of another time."""
    both_backends(cluster, files)
    files[IPV4] = files[f"nodes/{NODE}/iptables-legacy-save.txt"]


def _filled(cluster: Cluster, pattern: str) -> str:
    known = {
        "<svc>": lambda: chain_of(cluster, "store/front", "http"),
        "<sep>": lambda: endpoint_chain_of(cluster, "store/front", "http"),
        "<lb_ext>": lambda: chain_of(cluster, "store/checkout-lb", "http", "KUBE-EXT-"),
        "<lb_xlb>": lambda: chain_of(cluster, "store/checkout-lb", "http", "KUBE-XLB-"),
        "<lb_fw>": lambda: chain_of(cluster, "store/front-lb", "https", "KUBE-FW-"),
        "<basket>": lambda: chain_of(cluster, "store/basket", ""),
        "<ip>": lambda: cluster.plan.service_ip(101, cluster.plan.families[0]),
    }
    for name, value in known.items():
        if name in pattern:
            pattern = pattern.replace(name, value())
    return pattern

"""What a bundle can hold: each input with its place and the command that produces it.

The one table behind reading (which path is what), `needs` of the checks, "which file would decide it,
and which command gives that file", and collecting. Source: bundle format svcbundle/v1.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """Whose fact an input states."""

    CLUSTER = "cluster"
    NODE = "node"
    POD = "pod"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One kind of file in a bundle."""

    scope: Scope
    name: str
    """File name below `cluster/`, `nodes/<node>/` or `pods/<namespace>/<pod>/`."""

    command: str
    """The command whose output the file holds, with `<node>`, `<pod>`, `<namespace>` to be filled in."""

    alternatives: tuple[str, ...] = ()
    """Other file names that hold the same facts in another form."""


def _get(resource: str) -> InputSpec:
    return InputSpec(
        Scope.CLUSTER, f"{resource}.json", f"kubectl get {resource} --all-namespaces -o json"
    )


def _node(name: str, command: str, *alternatives: str) -> InputSpec:
    return InputSpec(Scope.NODE, name, command, alternatives)


class Input(Enum):
    """Every kind of file that svcbundle reads."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    VERSION = InputSpec(Scope.CLUSTER, "version.json", "kubectl get --raw /version")
    NODES = _get("nodes")
    SERVICES = _get("services")
    ENDPOINTS = _get("endpoints")
    ENDPOINT_SLICES = _get("endpointslices")
    PODS = _get("pods")
    NAMESPACES = _get("namespaces")
    DEPLOYMENTS = _get("deployments")
    DAEMON_SETS = _get("daemonsets")
    STATEFUL_SETS = _get("statefulsets")
    REPLICA_SETS = _get("replicasets")
    NETWORK_POLICIES = _get("networkpolicies")
    INGRESSES = _get("ingresses")
    EVENTS = _get("events")
    CONFIG_MAPS = InputSpec(
        Scope.CLUSTER, "configmaps.json", "kubectl get configmaps --namespace kube-system -o json"
    )

    RULESET = _node("iptables-save.txt", "iptables-save -c")
    RULESET_V6 = _node("ip6tables-save.txt", "ip6tables-save -c")
    RULESET_LEGACY = _node("iptables-legacy-save.txt", "iptables-legacy-save -c")
    RULESET_NFT = _node("iptables-nft-save.txt", "iptables-nft-save -c")
    RULESET_V6_LEGACY = _node("ip6tables-legacy-save.txt", "ip6tables-legacy-save -c")
    RULESET_V6_NFT = _node("ip6tables-nft-save.txt", "ip6tables-nft-save -c")
    IPTABLES_VERSION = _node("iptables-version.txt", "iptables --version")
    NFT_RULESET = _node("nft-ruleset.json", "nft -j list ruleset")
    IPSETS = _node("ipset-save.txt", "ipset save")
    IPVS = _node("ipvsadm-save.txt", "ipvsadm-save -n")
    ADDRESSES = _node("ip-addr.json", "ip -j addr", "ip-addr.txt")
    LINKS = _node("ip-link.json", "ip -j -d link", "ip-link.txt")
    ROUTES = _node("ip-route.json", "ip -j route show table all", "ip-route.txt")
    ROUTE_RULES = _node("ip-rule.txt", "ip rule")
    SYSCTLS = _node("sysctl.txt", "sysctl -a | grep -E 'ip_forward|rp_filter|bridge-nf|conntrack'")
    HAIRPIN = _node("hairpin.txt", "grep -H . /sys/devices/virtual/net/*/brif/*/hairpin_mode")
    PROCESSES = _node("processes.txt", "ps -eo pid,stat,args | grep -E 'kube-proxy|kubelet'")
    PROXY_LOG = _node(
        "kube-proxy.log",
        "kubectl logs --namespace kube-system --selector k8s-app=kube-proxy "
        "--field-selector spec.nodeName=<node> --tail=-1",
    )
    KUBELET_LOG = _node("kubelet.log", "journalctl --unit kubelet --no-pager")
    PROXY_MODE = _node("kube-proxy-mode.txt", "curl -s http://127.0.0.1:10249/proxyMode")
    PROXY_HEALTHZ = _node("kube-proxy-healthz.json", "curl -s http://127.0.0.1:10256/healthz")
    PROXY_CONFIGZ = _node("kube-proxy-configz.json", "curl -s http://127.0.0.1:10249/configz")
    PROXY_CONFIG = _node("kube-proxy-config.yaml", "cat /var/lib/kube-proxy/config.conf")
    KUBELET_CONFIGZ = _node(
        "kubelet-configz.json", "kubectl get --raw /api/v1/nodes/<node>/proxy/configz"
    )
    NODE_RESOLV_CONF = _node("resolv.conf", "cat /etc/resolv.conf")
    CONNTRACK = _node("conntrack.txt", "conntrack -L")
    SOCKETS = _node("sockets.txt", "ss -lntu")

    POD_RESOLV_CONF = InputSpec(
        Scope.POD,
        "resolv.conf",
        "kubectl exec --namespace <namespace> <pod> -- cat /etc/resolv.conf",
    )
    POD_HOSTS = InputSpec(
        Scope.POD, "hosts", "kubectl exec --namespace <namespace> <pod> -- cat /etc/hosts"
    )

    def path(self, node: str = "", namespace: str = "", pod: str = "") -> str:
        """Return the file's path from the bundle's root for a node or pod."""
        match self.value.scope:
            case Scope.CLUSTER:
                return f"cluster/{self.value.name}"
            case Scope.NODE:
                return f"nodes/{node}/{self.value.name}"
            case Scope.POD:
                return f"pods/{namespace}/{pod}/{self.value.name}"

    def command(self, node: str = "", namespace: str = "", pod: str = "") -> str:
        """Return the command that produces the file for a node or pod; placeholders stay where no name is given."""
        command = self.value.command
        for placeholder, name in (("<node>", node), ("<namespace>", namespace), ("<pod>", pod)):
            command = command.replace(placeholder, shlex.quote(name) if name else placeholder)
        return command

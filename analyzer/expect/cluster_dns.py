"""Where the cluster's DNS is, by the API objects and by the kubelets' settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise

from analyzer.expect.corefile import read_corefile
from analyzer.expect.endpoints import selects
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.kubernetes import ConfigMap, Pod, Service
from analyzer.model.node import Document, Process
from analyzer.model.source import Ref

DNS_PORT = 53
NODE_LOCAL_ADDRESS = "169.254.20.10"
"""Where NodeLocal DNSCache listens unless it is told otherwise."""

_GOOGLE_METADATA = "169.254.169.254"
_KNOWN_SERVICES = {
    ("kube-system", "kube-dns"),
    ("kube-system", "coredns"),
    ("kube-system", "rke2-coredns-rke2-coredns"),
    ("openshift-dns", "dns-default"),
}
_PROGRAMS = ("coredns", "kube-dns", "kubedns", "k8s-dns")
_NODE_LOCAL_NAMES = ("node-local-dns", "nodelocaldns")


@dataclass(frozen=True, slots=True)
class KubeletDNS:
    """What a kubelet tells its pods about DNS."""

    cluster_dns: tuple[str, ...] | None
    """Nameservers of its pods; empty where it has none, None where its settings are not known."""

    cluster_dns_source: Ref | None
    cluster_domain: str | None
    """Such as `cluster.local`; None where it is not known."""

    cluster_domain_source: Ref | None
    resolv_conf: str | None
    """Path of the file that it takes for the node's, such as `/run/systemd/resolve/resolv.conf`."""


def dns_services(
    services: Iterable[Service], pods: Sequence[Pod], asked: Collection[str] = ()
) -> tuple[Service, ...]:
    """Return the Services that answer DNS for the cluster: by name, by label, or by the pods behind port 53.

    One with port 53 whose cluster IP is among the nameservers that are `asked` is one of them, whatever its name.
    """
    return tuple(s for s in services if _is_dns(s, pods, asked))


def dns_addresses(
    answering: Iterable[Service], config_maps: Iterable[ConfigMap], pods: Sequence[Pod]
) -> tuple[str, ...]:
    """Return every address at which a pod may ask the cluster's DNS, by the Services that answer it."""
    ips = [ip for s in answering for ip in (*s.cluster_ips, *_pod_ips(s, pods))]
    local = node_local_addresses(config_maps, pods)
    return tuple(dict.fromkeys(canonical_ip(ip) for ip in (*ips, *local)))


def node_local_addresses(config_maps: Iterable[ConfigMap], pods: Iterable[Pod]) -> tuple[str, ...]:
    """Return the addresses of NodeLocal DNSCache; empty where the cluster has none.

    From `bind` in its Corefile and `-localip` of its pods; 169.254.20.10 where neither says.
    """
    maps = [c for c in config_maps if c.name in _NODE_LOCAL_NAMES]
    caches = [p for p in pods if p.labels.get("k8s-app") in _NODE_LOCAL_NAMES]
    told = (*_bound(maps), *(ip for pod in caches for ip in _local_ips(pod)))
    addresses = tuple(dict.fromkeys(canonical_ip(ip) for ip in told if family_of(ip) is not None))
    return addresses or ((NODE_LOCAL_ADDRESS,) if maps or caches else ())


def answers_beside_the_cluster(
    address: str, own_addresses: Collection[str] | None, provider_id: str
) -> bool | None:
    """Tell whether a link-local nameserver answers on the node itself or in its cloud; None where unknown.

    `own_addresses`: of the node's interfaces, None where they are not known. Caches that no pod shows run on the
    node (AKS LocalDNS); with Cloud DNS for GKE pods ask Google's metadata server.
    """
    if not _is_link_local(address):
        return False
    if address == _GOOGLE_METADATA and provider_id.startswith("gce://"):
        return True
    if own_addresses is not None:
        return address in own_addresses
    return False if address == NODE_LOCAL_ADDRESS else None


def kubelet_dns(
    *,
    configz: Document | None = None,
    processes: Iterable[Process] = (),
    config: Document | None = None,
) -> KubeletDNS:
    """Return the DNS settings of a kubelet, the first source that has one deciding.

    In the order of the arguments: what it says itself (`/configz`, where an absent setting is an empty one), its
    flags, and its KubeletConfiguration (a file, or the ConfigMap that kubeadm copies it from).
    """
    kubelet = next((p for p in processes if p.program == "kubelet"), None)
    sources = (_of_configz(configz), _of_flags(kubelet), _of_config(config))
    told = [settings for settings in sources if settings is not None]
    servers = next((s for s in told if s.cluster_dns is not None), _Settings())
    domain = next((s for s in told if s.cluster_domain), _Settings())
    return KubeletDNS(
        cluster_dns=servers.cluster_dns,
        cluster_dns_source=servers.servers_source,
        cluster_domain=domain.cluster_domain.rstrip(".") if domain.cluster_domain else None,
        cluster_domain_source=domain.domain_source,
        resolv_conf=next((s.resolv_conf for s in told if s.resolv_conf), None),
    )


@dataclass(frozen=True, slots=True)
class _Settings:
    """What one source says."""

    cluster_dns: tuple[str, ...] | None = None
    cluster_domain: str | None = None
    resolv_conf: str | None = None
    servers_source: Ref | None = None
    domain_source: Ref | None = None


def _of_configz(document: Document | None) -> _Settings | None:
    if document is None or document.find("kubeletconfig") is None:
        return None
    return _Settings(
        cluster_dns=_listed(document.find("kubeletconfig", "clusterDNS")) or (),
        cluster_domain=_text(document.find("kubeletconfig", "clusterDomain")),
        resolv_conf=_text(document.find("kubeletconfig", "resolvConf")),
        servers_source=document.ref.at("kubeletconfig", "clusterDNS"),
        domain_source=document.ref.at("kubeletconfig", "clusterDomain"),
    )


def _of_flags(kubelet: Process | None) -> _Settings | None:
    if kubelet is None:
        return None
    servers = kubelet.flags.get("cluster-dns")
    return _Settings(
        cluster_dns=None if servers is None else _listed(servers.split(",")),
        cluster_domain=kubelet.flags.get("cluster-domain"),
        resolv_conf=kubelet.flags.get("resolv-conf"),
        servers_source=kubelet.source,
        domain_source=kubelet.source,
    )


def _of_config(document: Document | None) -> _Settings | None:
    if document is None:
        return None
    return _Settings(
        cluster_dns=_listed(document.find("clusterDNS")),
        cluster_domain=_text(document.find("clusterDomain")),
        resolv_conf=_text(document.find("resolvConf")),
        servers_source=document.ref.at("clusterDNS"),
        domain_source=document.ref.at("clusterDomain"),
    )


def _is_dns(service: Service, pods: Sequence[Pod], asked: Collection[str]) -> bool:
    if (service.namespace, service.name) in _KNOWN_SERVICES:
        return True
    if not any(p.port == DNS_PORT and p.protocol == "UDP" for p in service.ports):
        return False
    if service.namespace == "kube-system" and service.labels.get("k8s-app") == "kube-dns":
        return True
    if any(canonical_ip(ip) in asked for ip in service.cluster_ips):
        return True
    return service.namespace in {"kube-system", "openshift-dns"} and any(
        selects(service, pod) and _runs_dns(pod) for pod in pods
    )


def _runs_dns(pod: Pod) -> bool:
    return any(
        c.name in _PROGRAMS or any(p in c.image.rpartition("/")[2] for p in _PROGRAMS)
        for c in pod.containers
    )


def _pod_ips(service: Service, pods: Sequence[Pod]) -> Iterator[str]:
    """Yield the pods' own addresses of a headless DNS Service, which has no other."""
    if service.headless:
        yield from (ip for pod in pods if selects(service, pod) for ip in pod.ips)


def _is_link_local(address: str) -> bool:
    return family_of(address) is not None and ip_address(address).is_link_local


def _bound(config_maps: Iterable[ConfigMap]) -> Iterator[str]:
    for config_map in config_maps:
        for use in read_corefile((config_map.data or {}).get("Corefile", "")).uses("bind"):
            yield from use.plugin.arguments


def _local_ips(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        words = (*(container.command or ()), *(container.args or ()))
        for word, following in pairwise((*words, "")):
            flag, equals, value = word.partition("=")
            if flag.lstrip("-") == "localip":
                yield from (value if equals else following).split(",")


def _listed(found: object) -> tuple[str, ...] | None:
    if not isinstance(found, list):
        return None
    return tuple(canonical_ip(ip.strip()) for ip in found if isinstance(ip, str) and ip.strip())


def _text(found: object) -> str | None:
    return found if isinstance(found, str) else None

"""What a pod's resolv.conf should say: the kubelet's decision re-derived from pod, kubelet settings and node.

Source: `pkg/kubelet/network/dns/dns.go` (1.9 to 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from analyzer.model.address import canonical_ip
from analyzer.model.kubernetes import DNSConfig, Pod
from analyzer.model.node import ResolvConf
from analyzer.model.source import SourceRef

CLUSTER_NDOTS = 5
"""`options ndots` for pods that use the cluster's DNS."""


class DNSOrigin(Enum):
    """Where a pod's DNS settings come from, and why."""

    CLUSTER = "dnsPolicy asks for the cluster's DNS"
    NODE = "dnsPolicy Default asks for the node's resolv.conf"
    NODE_FOR_HOST_NETWORK = (
        "ClusterFirst means the node's resolv.conf for a pod in the host's network"
    )
    NODE_WITHOUT_CLUSTER_DNS = (
        "the kubelet has no clusterDNS and falls back to the node's resolv.conf"
    )
    POD = "dnsPolicy None leaves everything to dnsConfig"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the kubelet writes; it leaves out what is beyond."""

    nameservers: int = 3
    search_domains: int = 32
    search_characters: int = 2048


LIMITS = Limits()
"""Since Kubernetes 1.26 (ExpandedDNSConfig)."""

LEGACY_LIMITS = Limits(search_domains=6, search_characters=256)
"""Up to Kubernetes 1.25, and of glibc before 2.26 and musl."""


@dataclass(frozen=True, slots=True)
class ExpectedResolvConf:
    """The settings that the kubelet gives to a pod."""

    origin: DNSOrigin
    nameservers: tuple[str, ...] | None
    """In order; None where they come from a node's file or kubelet setting that is not known."""

    cluster_search: tuple[str, ...]
    """The search domains of the cluster, which stand first; empty where the cluster's DNS is not used."""

    search: tuple[str, ...] | None
    """The whole search list, or None where the node's part is not known."""

    options: dict[str, str]
    """Those that are certain; an option without a value is an empty string."""

    omitted_nameservers: tuple[str, ...] = ()
    """Left out because of the limits."""

    omitted_search: tuple[str, ...] = ()

    @property
    def ndots(self) -> int:
        """Expected `ndots`, 1 where no option says otherwise (resolv.conf(5))."""
        text = self.options.get("ndots", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 1  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class ResolvConfDifference:
    """Where the resolv.conf of a pod is not as it should be; empty values where it is."""

    wrong_nameservers: tuple[tuple[str, SourceRef], ...]
    """Nameservers that are neither the cluster's DNS nor in the pod's own dnsConfig."""

    missing_search: tuple[str, ...]
    """Search domains of the cluster that are not there."""

    low_ndots: bool
    """True where `ndots` is lower than it should be."""

    @property
    def none(self) -> bool:
        """True where everything is as it should be."""
        return not (self.wrong_nameservers or self.missing_search or self.low_ndots)


def expected_resolv_conf(
    pod: Pod,
    cluster_dns: tuple[str, ...] | None,
    cluster_domain: str,
    node_resolv: ResolvConf | None,
    limits: Limits = LIMITS,
) -> ExpectedResolvConf:
    """Return what the kubelet writes for a pod.

    `cluster_dns`: the kubelet's clusterDNS, empty where it has none, None where it is not known.
    `node_resolv`: the file that the kubelet's resolvConf names, None where it is not known.
    """
    origin = dns_origin(pod, cluster_dns)
    config = pod.spec.dns_config or DNSConfig()
    search: tuple[str, ...] | None
    match origin:
        case DNSOrigin.CLUSTER:
            nameservers, options = cluster_dns, {"ndots": str(CLUSTER_NDOTS)}
            own = cluster_search(pod.namespace, cluster_domain)
            search = None if node_resolv is None else (*own, *node_resolv.search)
        case DNSOrigin.POD:
            own, nameservers, search, options = (), (), (), {}
        case _:
            own, options = (), dict(node_resolv.options) if node_resolv else {}
            nameservers = _nameservers(node_resolv)
            search = None if node_resolv is None else node_resolv.search
    given = None if nameservers is None else _distinct((*nameservers, *(config.nameservers or ())))
    domains = None if search is None else _distinct((*search, *(config.searches or ())))
    kept = None if domains is None else _within(domains, limits)
    return ExpectedResolvConf(
        origin=origin,
        nameservers=None if given is None else given[: limits.nameservers],
        cluster_search=own,
        search=kept,
        options=options | {o.name: o.value or "" for o in config.options or () if o.name},
        omitted_nameservers=() if given is None else given[limits.nameservers :],
        omitted_search=tuple(d for d in domains or () if d not in (kept or ())),
    )


def dns_origin(pod: Pod, cluster_dns: tuple[str, ...] | None) -> DNSOrigin:
    """Return where the pod's settings come from; a policy that is not known counts as ClusterFirst."""
    match pod.spec.dns_policy:
        case "None":
            return DNSOrigin.POD
        case "Default":
            return DNSOrigin.NODE
        case policy if pod.host_network and policy != "ClusterFirstWithHostNet":
            return DNSOrigin.NODE_FOR_HOST_NETWORK
    return DNSOrigin.NODE_WITHOUT_CLUSTER_DNS if cluster_dns == () else DNSOrigin.CLUSTER


def cluster_search(namespace: str, cluster_domain: str) -> tuple[str, ...]:
    """Return the search domains that lead to Services; none without a cluster domain."""
    domain = cluster_domain.rstrip(".")
    return (f"{namespace}.svc.{domain}", f"svc.{domain}", domain) if domain else ()


def compare_resolv_conf(
    expected: ExpectedResolvConf, actual: ResolvConf, pod: Pod, cluster_dns: Collection[str]
) -> ResolvConfDifference:
    """Compare a pod's file with what should be in it; without the cluster's DNS nothing is called wrong.

    `cluster_dns`: addresses at which the cluster's DNS answers; which of them a pod uses does not matter.
    """
    if expected.origin is not DNSOrigin.CLUSTER:
        return ResolvConfDifference((), (), low_ndots=False)
    own = (pod.spec.dns_config or DNSConfig()).nameservers or ()
    accepted = {canonical_ip(address) for address in (*cluster_dns, *own)}
    present = {_bare(domain) for domain in actual.search}
    return ResolvConfDifference(
        wrong_nameservers=tuple(
            (address, ref)
            for address, ref in actual.nameservers
            if canonical_ip(address) not in accepted
        ),
        missing_search=tuple(d for d in expected.cluster_search if _bare(d) not in present),
        low_ndots=actual.ndots < expected.ndots,
    )


def _nameservers(node_resolv: ResolvConf | None) -> tuple[str, ...] | None:
    # A stub on the loopback (systemd-resolved) is of no use to a pod: the kubelet is given another file then.
    if node_resolv is None or any(a.startswith("127.") for a, _ in node_resolv.nameservers):
        return None
    return tuple(address for address, _ in node_resolv.nameservers)


def _within(search: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
    kept = search[: limits.search_domains]
    while kept and len(" ".join(kept)) > limits.search_characters:
        kept = kept[:-1]
    return kept


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _bare(domain: str) -> str:
    return domain.rstrip(".").lower()

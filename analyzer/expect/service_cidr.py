"""From which ranges the API server gives out cluster IPs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from analyzer.model.address import family_of, network_of
from analyzer.model.kubernetes import Pod
from analyzer.model.node import Document
from analyzer.model.source import Ref

_FLAG = "--service-cluster-ip-range"


@dataclass(frozen=True, slots=True)
class ServiceCIDRs:
    """The ranges of cluster IPs, one or two."""

    cidrs: tuple[str, ...]
    source: Ref

    def contains(self, address: str) -> bool | None:
        """Tell whether a cluster IP is in a range; None for what is no address and for a family without a range."""
        if family_of(address) is None:
            return None
        ip = ip_address(address)
        networks = [n for c in self.cidrs if (n := network_of(c)) and n.version == ip.version]
        return any(ip in n for n in networks) if networks else None


def service_cidrs(pods: Iterable[Pod], kubeadm_config: Document | None) -> ServiceCIDRs | None:
    """Return the ranges, or None where nothing in the bundle says.

    From the flags of a kube-apiserver pod, which decide; else from kubeadm's ClusterConfiguration. ServiceCIDR
    objects (Kubernetes 1.33) may add ranges that neither shows.
    """
    for pod in pods:
        if pod.labels.get("component") == "kube-apiserver" or pod.name.startswith(
            "kube-apiserver-"
        ):
            found = next(_of_flags(pod), None)
            if found is not None:
                return found
    subnet = kubeadm_config.find("networking", "serviceSubnet") if kubeadm_config else None
    cidrs = _cidrs(subnet) if isinstance(subnet, str) else ()
    return ServiceCIDRs(cidrs, kubeadm_config.ref) if kubeadm_config and cidrs else None


def _of_flags(pod: Pod) -> Iterator[ServiceCIDRs]:
    for index, container in enumerate(pod.containers):
        for field, words in (("command", container.command), ("args", container.args)):
            for position, word in enumerate(words or ()):
                flag, equals, value = word.partition("=")
                if flag != _FLAG:
                    continue
                text = value if equals else (*(words or ()), "")[position + 1]
                cidrs = _cidrs(text)
                if cidrs:
                    ref = pod.ref.at("spec", "containers", index, field, position)
                    yield ServiceCIDRs(cidrs, ref)


def _cidrs(text: str) -> tuple[str, ...]:
    networks = (network_of(part) for part in text.split(","))
    return tuple(str(network) for network in networks if network is not None)

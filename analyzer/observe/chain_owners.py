"""Which program makes which chain: kube-proxy in one of its modes, kubelet, or somebody else.

Source: kube-facts A.1. The prefix KUBE- alone says nothing: kube-router's network policies use it as well.
"""

from __future__ import annotations

from enum import Enum

from analyzer.model.chain_names import ENDPOINT_PREFIX, SERVICE_PREFIXES
from analyzer.observe.userspace import USERSPACE_CHAINS


class Program(Enum):
    """Who makes a chain."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    IPTABLES_PROXY = "kube-proxy in iptables mode"
    IPVS_PROXY = "kube-proxy in ipvs mode"
    USERSPACE_PROXY = "kube-proxy in userspace mode"
    ANY_PROXY = "kube-proxy in iptables or ipvs mode"
    KUBELET = "kubelet"
    PROXY_OR_KUBELET = "kube-proxy or kubelet"


_PER_SERVICE = (*SERVICE_PREFIXES, ENDPOINT_PREFIX)
_FIXED = {
    **dict.fromkeys(
        ("KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-CANARY"), Program.IPTABLES_PROXY
    ),
    **dict.fromkeys(
        (
            "KUBE-NODE-PORT",
            "KUBE-LOAD-BALANCER",
            "KUBE-SOURCE-RANGES-FIREWALL",
            "KUBE-IPVS-FILTER",
            "KUBE-IPVS-OUT-FILTER",
            "KUBE-SVC-IPSETS",
            "KUBE-FIRE-WALL",
        ),
        Program.IPVS_PROXY,
    ),
    **dict.fromkeys((*USERSPACE_CHAINS, "KUBE-NODEPORT-NON-LOCAL"), Program.USERSPACE_PROXY),
    **dict.fromkeys(("KUBE-SERVICES", "KUBE-FORWARD", "KUBE-PROXY-FIREWALL"), Program.ANY_PROXY),
    **dict.fromkeys(
        ("KUBE-MARK-DROP", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-HOSTPORTS"),
        Program.KUBELET,
    ),
    **dict.fromkeys(
        ("KUBE-MARK-MASQ", "KUBE-POSTROUTING", "KUBE-FIREWALL"), Program.PROXY_OR_KUBELET
    ),
}

KUBE_PROXY = frozenset(
    {
        Program.IPTABLES_PROXY,
        Program.IPVS_PROXY,
        Program.USERSPACE_PROXY,
        Program.ANY_PROXY,
    }
)
"""Programs that are kube-proxy and nothing else."""


def is_service_chain(name: str) -> bool:
    """Tell whether a chain is kube-proxy's for one Service port or endpoint."""
    return name.startswith(_PER_SERVICE) and name not in _FIXED


def maker_of(name: str) -> Program | None:
    """Return who makes a chain of that name, or None for a chain of somebody else."""
    if is_service_chain(name):
        return Program.IPTABLES_PROXY
    return _FIXED.get(name, Program.KUBELET if name.startswith("KUBE-HP-") else None)

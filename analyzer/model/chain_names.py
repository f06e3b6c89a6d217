"""Names of kube-proxy's per-Service chains.

Source: `portProtoHash` and `servicePortEndpointChainName` in `pkg/proxy/iptables/proxier.go` (1.2 to 1.36):
prefix + the first 16 characters of base32(sha256(name)).
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from analyzer.model.forwarding import Endpoint, Protocol, ServicePortName

SERVICE_PREFIXES = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-XLB-")
"""Chains of one Service port; they share the same 16 characters."""

ENDPOINT_PREFIX = "KUBE-SEP-"

_DIGEST_BYTES = 10
"""As many as 16 characters of base32 hold."""


@lru_cache(maxsize=1 << 16)
def service_suffix(name: ServicePortName, protocol: Protocol, *, colon: bool = False) -> str:
    """Return the 16 characters after KUBE-SVC- and its kin.

    `colon`: spell an unnamed port `namespace/name:` as Kubernetes 1.18 and earlier do.
    """
    return _hash(_spelled(name, protocol, colon))


@lru_cache(maxsize=1 << 17)
def endpoint_chain(
    name: ServicePortName, protocol: Protocol, endpoint: Endpoint, *, colon: bool = False
) -> str:
    """Return the name of the KUBE-SEP chain of an endpoint."""
    return ENDPOINT_PREFIX + _hash(_spelled(name, protocol, colon) + str(endpoint))


def service_suffix_of(chain: str) -> str | None:
    """Return the 16 characters of a Service chain's name, or None for any other chain."""
    for prefix in SERVICE_PREFIXES:
        if chain.startswith(prefix):
            return chain[len(prefix) :]
    return None


@lru_cache(maxsize=1 << 8)
def _spelled(name: ServicePortName, protocol: Protocol, colon: bool) -> str:
    """Return what is hashed of a Service port; it is asked for once an endpoint."""
    return f"{name}{':' if colon and not name.port else ''}{protocol.value.lower()}"


def _hash(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]).decode()

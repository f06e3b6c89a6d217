"""Whose a rule is: the Service port that kube-proxy names in the rule's comment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from analyzer.model.chain_names import service_suffix_of
from analyzer.model.forwarding import FrontendKind, ServiceKey, ServicePortName

_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_OWNER = re.compile(
    rf"(?P<namespace>{_NAME})/(?P<name>{_NAME})(?P<colon>:(?P<port>{_NAME})?)?(?= |$)"
)
_KINDS = {
    "cluster IP": FrontendKind.CLUSTER_IP,
    "external IP": FrontendKind.EXTERNAL_IP,
    "loadbalancer IP": FrontendKind.LOAD_BALANCER_IP,
}


@dataclass(frozen=True, slots=True)
class Owner:
    """What the comment of a dispatching rule says, such as `default/hostnames:http cluster IP`."""

    service_port: ServicePortName
    kind: FrontendKind | None
    """What sort of address the rule is for, or None where the comment does not say."""

    colon: bool
    """True for an unnamed port with a trailing colon, as Kubernetes 1.18 and earlier write it."""


@lru_cache(maxsize=1 << 15)
def owner_of(comment: str) -> Owner | None:
    """Return what a comment says, or None where it does not begin with the name of a Service port.

    Only names that Kubernetes accepts are taken: a comment is free text that anybody may have written.
    """
    found = _OWNER.match(comment)
    if found is None:
        return None
    port = found["port"] or ""
    return Owner(
        service_port=ServicePortName(ServiceKey(found["namespace"], found["name"]), port),
        kind=_KINDS.get(comment[found.end() :].strip()),
        colon=found["colon"] is not None and not port,
    )


def service_port_of(
    comment: str, chains: tuple[str, ...], known: Mapping[str, ServicePortName]
) -> ServicePortName | None:
    """Return the Service port of a rule: by its comment, else by the hash in the name of a chain.

    `known`: Service ports by the 16 characters after KUBE-SVC-; None where neither tells.
    """
    owner = owner_of(comment)
    if owner is not None:
        return owner.service_port
    suffixes = (service_suffix_of(chain) for chain in chains)
    return next((known[s] for s in suffixes if s is not None and s in known), None)

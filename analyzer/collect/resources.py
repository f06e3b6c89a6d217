"""Where the API server has each resource that goes into a bundle, in all versions of the API that had it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import quote

from analyzer.collect.options import Options
from analyzer.model.inputs import Input

SYSTEM: Final = "kube-system"
"""The namespace whose objects are always asked for: kube-proxy and DNS live there."""


class Need(Enum):
    """What has to be allowed besides reading objects."""

    EXEC = "exec in kube-proxy's pods"
    LOG = "kube-proxy's logs"
    NODE_PROXY = "the kubelet's files"


@dataclass(frozen=True, slots=True)
class Listing:
    """One resource that is listed."""

    input: Input
    resource: str
    """Its name in paths, and for `kubectl auth can-i`."""

    groups: tuple[str, ...] = ("api/v1",)
    """API groups with version, the preferred one first."""

    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group without version; empty for the core."""
        head, _, rest = self.groups[0].partition("/")
        return "" if head == "api" else rest.rpartition("/")[0]

    def paths(self, namespace: str = "") -> tuple[str, ...]:
        """Return the paths to try in turn: for all namespaces, or one."""
        middle = f"namespaces/{quote(namespace, safe='')}/" if namespace and self.namespaced else ""
        return tuple(f"/{group}/{middle}{self.resource}" for group in self.groups)


_APPS: Final = ("apis/apps/v1", "apis/extensions/v1beta1")

FIRST: Final = (
    Listing(Input.NODES, "nodes", namespaced=False),
    Listing(Input.SERVICES, "services"),
    Listing(
        Input.ENDPOINT_SLICES,
        "endpointslices",
        ("apis/discovery.k8s.io/v1", "apis/discovery.k8s.io/v1beta1"),
    ),
    Listing(Input.ENDPOINTS, "endpoints"),
    Listing(Input.PODS, "pods"),
)
"""What decides which nodes and pods are looked into, and has to be of the same moment as their files."""

THEN: Final = (
    Listing(Input.NAMESPACES, "namespaces", namespaced=False),
    Listing(Input.DAEMON_SETS, "daemonsets", _APPS),
    Listing(Input.DEPLOYMENTS, "deployments", _APPS),
    Listing(Input.STATEFUL_SETS, "statefulsets", ("apis/apps/v1", "apis/apps/v1beta1")),
    Listing(Input.REPLICA_SETS, "replicasets", _APPS),
    Listing(
        Input.NETWORK_POLICIES,
        "networkpolicies",
        ("apis/networking.k8s.io/v1", "apis/extensions/v1beta1"),
    ),
    Listing(
        Input.INGRESSES,
        "ingresses",
        ("apis/networking.k8s.io/v1", "apis/networking.k8s.io/v1beta1", "apis/extensions/v1beta1"),
    ),
    Listing(Input.EVENTS, "events"),
)


def scopes(options: Options) -> tuple[str, ...]:
    """Return the namespaces to ask one by one; one empty name for all at once."""
    if not options.namespaces:
        return ("",)
    return tuple(dict.fromkeys((*options.namespaces, SYSTEM)))


def config_map_path(name: str) -> str:
    """Return the path of one ConfigMap; the others of the namespace are not asked for."""
    return f"/api/v1/namespaces/{SYSTEM}/configmaps/{name}"

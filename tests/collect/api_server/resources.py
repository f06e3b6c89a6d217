"""The resources that the server knows, as discovery shows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = (
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    )
    subresources: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Name, kind and verbs of each."""

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name as errors say it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        return self.kind.lower()


_EXEC = ("create", "get")
_ALL = ("all",)
_REVIEW = "authorization.k8s.io"

STORED = (
    Resource("configmaps", "ConfigMap", short_names=("cm",)),
    Resource("endpoints", "Endpoints", short_names=("ep",)),
    Resource("events", "Event", short_names=("ev",)),
    Resource("namespaces", "Namespace", namespaced=False, short_names=("ns",)),
    Resource(
        "nodes",
        "Node",
        namespaced=False,
        short_names=("no",),
        subresources=(("proxy", "NodeProxyOptions", ("create", "get")),),
    ),
    Resource(
        "pods",
        "Pod",
        short_names=("po",),
        categories=_ALL,
        subresources=(
            ("attach", "PodAttachOptions", _EXEC),
            ("exec", "PodExecOptions", _EXEC),
            ("log", "Pod", ("get",)),
        ),
    ),
    Resource("secrets", "Secret"),
    Resource("serviceaccounts", "ServiceAccount", short_names=("sa",)),
    Resource("services", "Service", short_names=("svc",), categories=_ALL),
    Resource("daemonsets", "DaemonSet", "apps", short_names=("ds",), categories=_ALL),
    Resource("deployments", "Deployment", "apps", short_names=("deploy",), categories=_ALL),
    Resource("replicasets", "ReplicaSet", "apps", short_names=("rs",), categories=_ALL),
    Resource("statefulsets", "StatefulSet", "apps", short_names=("sts",), categories=_ALL),
    Resource("endpointslices", "EndpointSlice", "discovery.k8s.io"),
    Resource("ingresses", "Ingress", "networking.k8s.io", short_names=("ing",)),
    Resource("networkpolicies", "NetworkPolicy", "networking.k8s.io", short_names=("netpol",)),
)
"""What a capture can have a file of; one without a file is a resource that the server does not know."""

REVIEWS = (
    Resource(
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        _REVIEW,
        namespaced=False,
        verbs=("create",),
    ),
    Resource(
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        _REVIEW,
        namespaced=False,
        verbs=("create",),
    ),
)

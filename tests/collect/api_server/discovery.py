"""Discovery: which groups, versions and resources there are, in the aggregated form and in the older one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.collect.api_server.resources import Resource
from tests.collect.api_server.statuses import ApiError

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""What a client accepts that knows the aggregated form (beta in 1.27, v2 from 1.30)."""


def aggregated(path: str, resources: Iterable[Resource]) -> dict[str, Any]:
    """Return what /api (the core group) or /apis (all others) says to a client that accepts it."""
    groups: dict[str, dict[str, list[Resource]]] = {}
    for resource in resources:
        if (resource.group == "") is (path == "/api"):
            versions = groups.setdefault(resource.group, {})
            versions.setdefault(resource.version, []).append(resource)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [
                    {
                        "version": version,
                        "resources": [_aggregated(resource) for resource in known],
                        "freshness": "Current",
                    }
                    for version, known in versions.items()
                ],
            }
            for group, versions in groups.items()
        ],
    }


def _aggregated(resource: Resource) -> dict[str, Any]:
    return {
        "resource": resource.plural,
        "responseKind": _kind(resource, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
        "subresources": [
            {"subresource": name, "responseKind": _kind(resource, kind), "verbs": list(verbs)}
            for name, kind, verbs in resource.subresources
        ],
    }


def _kind(resource: Resource, kind: str) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": kind}


def plain(path: str, resources: Iterable[Resource]) -> dict[str, Any]:
    """Return what a discovery path says to any client."""
    known = list(resources)
    groups = list(dict.fromkeys(r.group for r in known if r.group))
    match [word for word in path.split("/") if word]:
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            listed = [_group(group, known) for group in groups]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ["apis", group] if group in groups:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, known)}
        case [("api" | "apis"), *words]:
            here = [r for r in known if r.group_version == "/".join(words)]
            if here:
                return {
                    "kind": "APIResourceList",
                    "apiVersion": "v1",
                    "groupVersion": "/".join(words),
                    "resources": [item for resource in here for item in _resources(resource)],
                }
    raise ApiError(404)


def _group(group: str, resources: list[Resource]) -> dict[str, Any]:
    versions = [
        {"groupVersion": f"{group}/{version}", "version": version}
        for version in dict.fromkeys(r.version for r in resources if r.group == group)
    ]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(resource: Resource) -> Iterable[dict[str, Any]]:
    yield {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
    }
    for name, kind, verbs in resource.subresources:
        yield {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": list(verbs),
        }

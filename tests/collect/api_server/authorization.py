"""Who may do what: rules of RBAC, for the requests themselves and for what `kubectl auth can-i` asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tests.collect.api_server.requests import Asked
from tests.collect.api_server.statuses import ApiError

USER = "tester"
_ALL = ("*",)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a Role or ClusterRole."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...] = ()
    """`pods`, `pods/exec`, `*`, `*/exec`."""

    groups: tuple[str, ...] = _ALL
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """nonResourceURLs."""

    namespace: str = ""
    """Where a RoleBinding grants it; empty for a ClusterRoleBinding."""

    def covers(self, asked: Asked) -> bool:
        if not {asked.verb, "*"} & set(self.verbs):
            return False
        if not asked.resource:
            return any(_matches(path, asked.path) for path in self.paths)
        wanted = {asked.with_subresource, "*"}
        if asked.subresource:
            wanted.add(f"*/{asked.subresource}")
        return (
            bool(wanted & set(self.resources))
            and bool({asked.group, "*"} & set(self.groups))
            and (not self.names or asked.name in self.names)
            and self.namespace in {"", asked.namespace}
        )


ADMIN = (Rule(_ALL, _ALL), Rule(_ALL, paths=_ALL))
"""cluster-admin."""

_EVERYBODY = (
    Rule(("create",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
    Rule(
        ("get",),
        paths=("/version", "/version/", "/healthz", "/livez", "/readyz", "/api", "/api/*", "/apis", "/apis/*"),
    ),
)  # fmt: skip
"""system:basic-user, system:discovery and system:public-info-viewer, which every cluster grants."""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """What is granted, and what of it is denied after all (a webhook, an admission of the cloud)."""

    granted: tuple[Rule, ...] = ADMIN
    denied: tuple[Rule, ...] = ()

    def allows(self, asked: Asked) -> bool:
        if any(rule.covers(asked) for rule in self.denied):
            return False
        return any(rule.covers(asked) for rule in (*self.granted, *_EVERYBODY))

    def check(self, asked: Asked) -> None:
        """Raise the `ApiError` of a request that is not allowed."""
        if not self.allows(asked):
            raise ApiError(403, _forbidden(asked), details=_details(asked))

    def review_access(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Answer a SelfSubjectAccessReview."""
        allowed = self.allows(_in_question(spec))
        return {"allowed": allowed, "reason": "RBAC: allowed" if allowed else ""}

    def review_rules(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Answer a SelfSubjectRulesReview: what is granted in one namespace."""
        here = [
            rule
            for rule in (*self.granted, *_EVERYBODY)
            if rule.namespace in {"", spec.get("namespace", "")}
        ]
        return {
            "resourceRules": [
                {
                    "verbs": list(rule.verbs),
                    "apiGroups": list(rule.groups),
                    "resources": list(rule.resources),
                    "resourceNames": list(rule.names),
                }
                for rule in here
                if rule.resources
            ],
            "nonResourceRules": [
                {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.paths)}
                for rule in here
                if rule.paths
            ],
            "incomplete": False,
        }


def rules_of(manifests: Iterable[dict[str, Any]]) -> tuple[Rule, ...]:
    """Return what a ClusterRole, or Roles in their own namespaces, grant, as bindings would."""
    return tuple(
        Rule(
            tuple(rule.get("verbs", ())),
            tuple(rule.get("resources", ())),
            tuple(rule.get("apiGroups", ())),
            tuple(rule.get("resourceNames", ())),
            tuple(rule.get("nonResourceURLs", ())),
            manifest["metadata"].get("namespace", "") if manifest["kind"] == "Role" else "",
        )
        for manifest in manifests
        if manifest and manifest["kind"] in {"ClusterRole", "Role"}
        for rule in manifest["rules"]
    )


def of_upgrade(asked: Asked) -> Asked:
    """Return what a WebSocket asks for besides `get` (AuthorizePodWebsocketUpgradeCreatePermission, 1.35)."""
    return replace(asked, verb="create")


def _matches(pattern: str, path: str) -> bool:
    return pattern in {"*", path} or (
        pattern.endswith("*") and path.startswith(pattern.removesuffix("*"))
    )


def _in_question(spec: dict[str, Any]) -> Asked:
    of_path = spec.get("nonResourceAttributes")
    if of_path:
        return Asked(of_path["verb"], of_path["path"])
    of = spec["resourceAttributes"]
    names = ("group", "version", "namespace", "resource", "name", "subresource")
    return Asked(of["verb"], "", *(of.get(name, "") for name in names))


def _forbidden(asked: Asked) -> str:
    if not asked.resource:
        return f'forbidden: User "{USER}" cannot {asked.verb} path "{asked.path}"'
    subject = f'{asked.qualified} "{asked.name}"' if asked.name else asked.qualified
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return (
        f'{subject} is forbidden: User "{USER}" cannot {asked.verb} resource "{asked.with_subresource}" '
        f'in API group "{asked.group}" {where}'
    )


def _details(asked: Asked) -> dict[str, Any]:
    found = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return {name: value for name, value in found.items() if value}

"""What a request asks for, parted as kube-apiserver does before it authorizes (apiserver endpoints/request)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The attributes of one request."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    """Empty for a path that is no resource, such as /version."""

    name: str = ""
    subresource: str = ""
    rest: str = ""
    """What follows a subresource `proxy`."""

    @property
    def with_subresource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def qualified(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


def asked(method: str, path: str, query: Mapping[str, str]) -> Asked:
    """Part a request."""
    words = [word for word in path.split("/") if word]
    if words[:1] == ["api"] and len(words) > 2:
        group, version, words = "", words[1], words[2:]
    elif words[:1] == ["apis"] and len(words) > 3:
        group, version, words = words[1], words[2], words[3:]
    else:
        return Asked(_VERBS.get(method, "get"), path)
    namespace = ""
    if words[0] == "namespaces" and len(words) > 1:
        namespace = words[1]
        if len(words) > 2 and words[2] not in {"status", "finalize"}:
            words = words[2:]
    resource, name, subresource = (*words, "", "", "")[:3]
    verb = _VERBS.get(method) or ("get" if name else "list")
    if verb == "list" and query.get("watch") in {"true", "1"}:
        verb = "watch"
    if verb == "delete" and not name:
        verb = "deletecollection"
    return Asked(
        verb, path, group, version, namespace, resource, name, subresource, "/".join(words[3:])
    )

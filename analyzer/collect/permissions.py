"""What a collection may do in the cluster: what it needs, what it is allowed, and the least role that suffices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from analyzer.collect.api import Api
from analyzer.collect.options import NodeAccess, Options
from analyzer.collect.removal import CONFIG_MAPS, config_map_names
from analyzer.collect.resources import FIRST, SYSTEM, THEN, Need, scopes
from analyzer.language import _, later

_ANSWER_BYTES: Final = 1 << 16
_NEWEST_NUMBERED: Final = 24
"""The last minor version for which a kubelet-config-1.N can be there."""

_EXEC_VERBS: Final = ("get", "create")
"""kubectl opens an exec by POST, or since 1.31 by a WebSocket, which is a GET; 1.35 and later want both."""


class Verdict(Enum):
    """What the API server says of a permission."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that has to be allowed."""

    verb: str
    resource: str
    """With its API group where it is not of the core: `endpointslices.discovery.k8s.io`."""

    subresource: str = ""
    namespace: str = ""
    """Empty for all namespaces, and for what is in none."""

    need: Need | None = None
    gives: str = ""
    """What is missing in the bundle without it."""

    namespaced: bool = True

    @property
    def arguments(self) -> tuple[str, ...]:
        """What kubectl is given to ask for it."""
        where: tuple[str, ...] = ()
        if self.namespace:
            where = (f"--namespace={self.namespace}",)
        elif self.namespaced:
            where = ("--all-namespaces",)
        sub = (f"--subresource={self.subresource}",) if self.subresource else ()
        return ("auth", "can-i", self.verb, self.resource, *sub, *where)

    def __str__(self) -> str:
        """Write it as a person says it: `list pods`, `create pods/exec in kube-system`."""
        what = "/".join(filter(None, (self.resource, self.subresource)))
        where = _(" in {namespace}", namespace=self.namespace) if self.namespace else ""
        return f"{self.verb} {what}{where}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """A permission and what the API server says of it."""

    permission: Permission
    verdict: Verdict
    reason: str = ""


def needed(options: Options) -> tuple[Permission, ...]:
    """Return what the options need."""
    return tuple(_needed(options))


def ask_permission(api: Api, permission: Permission) -> Allowed:
    """Ask the API server for one permission; an answer that is neither yes nor no is unknown."""
    answer = api.ask(
        permission.arguments, lambda stream: stream.read(_ANSWER_BYTES).decode(errors="replace")
    )
    word = next(iter(answer.content.split()), "")
    if word == "yes":
        return Allowed(permission, Verdict.YES)
    if word == "no":
        return Allowed(permission, Verdict.NO)
    return Allowed(permission, Verdict.UNKNOWN, answer.reason)


def refusals(answers: Iterable[Allowed]) -> Mapping[Need | None, str]:
    """Return what is not even asked for, with the reason: every way to it is refused."""
    ways: dict[Need, list[Allowed]] = {}
    for answer in answers:
        if answer.permission.need is not None:
            ways.setdefault(answer.permission.need, []).append(answer)
    return {
        need: _("not permitted: {permission}", permission=found[0].permission)
        for need, found in ways.items()
        if all(answer.verdict is Verdict.NO for answer in found)
    }


def table(answers: Sequence[Allowed]) -> str:
    """Return the permissions as lines to read: what is allowed, and below what is not, what will be missing."""
    return "".join(
        f"  {answer.verdict.value:<8}{answer.permission!s}\n"
        + ("" if answer.verdict is Verdict.YES else f"            {_consequence(answer)}\n")
        for answer in answers
    )


def refused_everywhere(answers: Iterable[Allowed]) -> bool:
    """Tell whether lists of all namespaces are refused as such: of Services and of pods at least."""
    refused = {a.permission for a in answers if a.verdict is Verdict.NO}
    listed = {p.resource for p in refused if p.verb == "list" and p.namespaced and not p.namespace}
    return {"services", "pods"} <= listed


def cluster_role(options: Options) -> str:
    """Return the least ClusterRole (and Role in kube-system) that suffices, as YAML."""
    lists: dict[str, list[str]] = {}
    for listing in (*FIRST, *THEN):
        lists.setdefault(listing.group, []).append(listing.resource)
    rules = [_rule(group, names, ["list"]) for group, names in lists.items()]
    if options.pod_exec:
        rules.append("# resolv.conf of a few pods; not needed with --no-pod-exec")
        rules.append(_rule("", ["pods"], ["get"]))
        rules.append(_rule("", ["pods/exec"], _EXEC_VERBS))
    rules.append(
        "# The kubelet's configuration and log. It is wide: who may get nodes/proxy can do on a node what the\n"
        "# kubelet's API can. Leave it out, and these two files are missing.\n"
        + _rule("", ["nodes/proxy"], ["get"])
    )
    if options.node_access is NodeAccess.DEBUG:
        rules.append(_rule("", ["nodes"], ["get"]))
    return _ROLES.format(
        cluster_rules=_indented(rules),
        system_rules=_indented(_system_rules(options)),
        system=SYSTEM,
    )


def _needed(options: Options) -> Iterator[Permission]:
    for listing in (*FIRST, *THEN):
        resource = ".".join(filter(None, (listing.resource, listing.group)))
        path = listing.input.path()
        if not listing.namespaced:
            yield Permission("list", resource, gives=path, namespaced=False)
            continue
        for namespace in scopes(options):
            yield Permission("list", resource, namespace=namespace, gives=path)
    yield Permission(
        "get", f"configmap/{CONFIG_MAPS[0]}", namespace=SYSTEM, gives="cluster/configmaps.json"
    )
    yield Permission("get", "pods", namespace=SYSTEM, gives=later("kube-proxy's logs"))
    yield from _of_nodes(options)
    if options.pod_exec:
        gives = later("resolv.conf of pods")
        yield Permission("create", "pods", "exec", gives=gives)


def _of_nodes(options: Options) -> Iterator[Permission]:
    rules = later("rules, routes and settings of nodes")
    if options.node_access in {NodeAccess.EXEC, NodeAccess.DEBUG}:
        for verb in _EXEC_VERBS:
            yield Permission(verb, "pods", "exec", SYSTEM, Need.EXEC, rules)
    if options.node_access is NodeAccess.DEBUG:
        for verb in ("create", "delete"):
            yield Permission(verb, "pods", "", SYSTEM, None, rules)
    yield Permission("get", "pods", "log", SYSTEM, Need.LOG, later("kube-proxy's logs"))
    yield Permission(
        *("get", "nodes", "proxy", "", Need.NODE_PROXY),
        gives=later("the kubelet's configuration and log"),
        namespaced=False,
    )


def _consequence(answer: Allowed) -> str:
    lacks = _("without it: no {what}", what=_(answer.permission.gives))
    return f"{lacks} ({answer.reason})" if answer.reason else lacks


def _system_rules(options: Options) -> list[str]:
    rules = [
        _rule("", ["configmaps"], ["get"], names=config_map_names(_NEWEST_NUMBERED)),
        _rule("", ["pods", "pods/log"], ["get"]),
    ]
    if options.node_access in {NodeAccess.EXEC, NodeAccess.DEBUG}:
        rules.append(_rule("", ["pods/exec"], _EXEC_VERBS))
    if options.node_access is NodeAccess.DEBUG:
        rules.append(_rule("", ["pods"], ["list", "watch", "create", "delete"]))
    return rules


def _rule(
    group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()
) -> str:
    lines = [
        f'- apiGroups: ["{group}"]',
        f"  resources: [{', '.join(resources)}]",
        f"  verbs: [{', '.join(verbs)}]",
    ]
    if names:
        lines.insert(2, f"  resourceNames: [{', '.join(names)}]")
    return "\n".join(lines)


def _indented(rules: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for rule in rules for line in rule.splitlines())


_ROLES: Final = """\
# What `svcbundle collect` needs; it never asks for Secrets. Bind both to who runs it:
#   kubectl create clusterrolebinding svcbundle-collect --clusterrole=svcbundle-collect --user=NAME
#   kubectl create rolebinding svcbundle-collect --namespace={system} --role=svcbundle-collect --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: svcbundle-collect
rules:
{cluster_rules}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: svcbundle-collect
  namespace: {system}
rules:
{system_rules}
"""

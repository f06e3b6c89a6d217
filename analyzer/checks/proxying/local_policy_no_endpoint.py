"""The check `local-policy-no-endpoint`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import Minor
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView, NodeView, ServiceView


@check(
    station=Station.PROXYING,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.ENDPOINT_SLICES, Input.NODES),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-policies",
        "https://github.com/kubernetes/website/issues/2499",
    ),
)
def local_policy_no_endpoint(view: ServiceView) -> Iterator[Problem]:
    """
    A Service has a Local traffic policy, and some nodes have none of its endpoints.

    ## Why it matters
    With externalTrafficPolicy Local a node drops what comes from outside for a Service of which it has no
    endpoint; with internalTrafficPolicy Local it drops what its own pods send. That is what the policy
    says, and a surprise for who uses any node's address.

    ## How to put it right
    Send clients only to nodes with an endpoint (a load balancer that honours the health check node port
    does), run a pod on every node (DaemonSet), or set the policy to Cluster.

    ## Where it is silent
    For nodes without kube-proxy (Windows, virtual ones). For a load balancer, which is told by the health check
    node port where endpoints are, and for the pods of a DaemonSet, which run where they are meant to, it is
    only advice.
    """
    policies = list(_policies(view))
    if not policies or not view.proxied or not any(b.ready for b in view.backends):
        return
    served = {b.node for b in view.backends if b.ready or (b.serving and b.terminating)} - {""}
    without = [n.name for n in view.cluster.nodes.values() if _counts(n) and n.name not in served]
    for policy in policies if without else ():
        yield _problem(view, policy, sorted(served), without)


@dataclass(frozen=True, slots=True)
class _Policy:
    """A Local policy that takes effect."""

    field: str
    clients: str
    ways: tuple[str, ...]
    """By which addresses they come."""


def _counts(node: NodeView) -> bool:
    if node.api_object is None or node.windows:
        return False
    labels = node.api_object.labels
    virtual = labels.get("type") == "virtual-kubelet"
    return not virtual and labels.get("eks.amazonaws.com/compute-type") != "fargate"


def _policies(view: ServiceView) -> Iterator[_Policy]:
    service, spec = view.service, view.service.spec
    if spec.external_traffic_policy == "Local":
        external = {
            _("node port"): any(p.node_port for p in service.ports),
            _("load-balancer IP"): bool(service.ingress_ips),
            _("external IP"): bool(spec.external_ips),
        }
        ways = tuple(way for way, there in external.items() if there)
        if ways:
            yield _Policy("externalTrafficPolicy", _("from outside"), ways)
    if spec.internal_traffic_policy == "Local" and _knows_internal_policy(view.cluster):
        yield _Policy("internalTrafficPolicy", _("from pods there"), (_("cluster IP"),))


def _knows_internal_policy(cluster: ClusterView) -> bool:
    """Tell whether the API server and some kube-proxy may be of a version with internalTrafficPolicy (1.21)."""
    version = Minor.parse(cluster.kubernetes)
    return (version is None or version >= Minor(1, 21)) and any(
        n.kube_proxy.version.at_least(Minor(1, 21)) is not False for n in cluster.nodes.values()
    )


def _problem(view: ServiceView, policy: _Policy, served: list[str], without: list[str]) -> Problem:
    service = view.service
    drop = plural("drops", "drop", len(without))
    have = _("has one") if len(served) == 1 else _("have one")
    only = (
        _("only {served} {have}", served=listed(served, 5), have=have)
        if served
        else _("none names the node that it is on")
    )
    endpoints = {b.node: Evidence(b.source, _where(b.node)) for b in view.backends if b.ready}
    return Problem(
        message=_(
            "{service} has {field} Local: {without} {drop} what comes {clients} to its "
            "{names}, having no endpoint of it ({only})",
            service=service.full_name,
            field=policy.field,
            without=listed(without, 5),
            drop=drop,
            clients=policy.clients,
            names=listed(policy.ways),
            only=only,
        ),
        evidence=(
            Evidence(service.ref.at("spec", policy.field), _("the policy")),
            *list(endpoints.values())[:3],
        ),
        remedy=_remedy(view, policy, served),
        severity=Severity.INFO if served and _is_meant(view, policy) else None,
    )


def _where(node: str) -> str:
    return (
        _("an endpoint on {node}", node=node)
        if node
        else _("an endpoint of which no node is named")
    )


def _is_meant(view: ServiceView, policy: _Policy) -> bool:
    balanced = policy.field == "externalTrafficPolicy" and view.service.spec.type == "LoadBalancer"
    return balanced or any(w.kind == "DaemonSet" for w in view.workloads)


def _remedy(view: ServiceView, policy: _Policy, served: list[str]) -> str:
    service = view.service
    value = f'{{"spec":{{"{policy.field}":"Cluster"}}}}'
    command = shell(
        "kubectl", "-n", service.namespace, "patch", "service", service.name, "-p", value
    )
    if not served:
        first = _("Give its endpoints their nodeName, or let any node serve them: ")
    elif policy.field == "externalTrafficPolicy":
        first = _("Use the address of a node with an endpoint, or let any node pass traffic on: ")
    else:
        first = _(
            "Run a pod of it on every node that uses it, or let any node's pods reach "
            "all endpoints: "
        )
    masked = policy.field == "externalTrafficPolicy"
    return first + command + (_("\nThe client's address is then masqueraded.") if masked else "")

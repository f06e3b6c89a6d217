"""The check `local-policy-no-endpoint`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.commands import shell
from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import Minor
from analyzer.model.kubernetes import Service
from analyzer.snapshot import ServiceView


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
    """
    service = view.service
    if not view.proxied or not any(b.ready for b in view.backends):
        return
    served = {b.node for b in view.backends if b.ready or (b.serving and b.terminating)}
    if "" in served:
        return  # an endpoint without nodeName is local nowhere: hand-made, see its own Service
    without = [n.name for n in view.cluster.nodes.values() if n.api_object and n.name not in served]
    for scope, field, ways in _policies(view):
        if without:
            yield _problem(service, scope, field, ways, sorted(served), without)


def _policies(view: ServiceView) -> Iterator[tuple[str, str, str]]:
    """Yield (clients, field, addresses) of each Local policy that takes effect."""
    service = view.service
    spec = service.spec
    external = [
        told
        for told, there in (
            ("node port", any(p.node_port for p in service.ports)),
            ("load-balancer IP", bool(service.ingress_ips)),
            ("external IP", bool(spec.external_ips)),
        )
        if there
    ]
    if spec.external_traffic_policy == "Local" and external:
        yield "from outside", "externalTrafficPolicy", " and ".join(external)
    version = Minor.parse(view.cluster.kubernetes)
    known = version is None or version >= Minor(1, 21)
    honoured = any(
        n.kube_proxy.version.at_least(Minor(1, 21)) is not False
        for n in view.cluster.nodes.values()
    )
    if spec.internal_traffic_policy == "Local" and known and honoured:
        yield "from pods there", "internalTrafficPolicy", "cluster IP"


def _problem(  # noqa: PLR0913, PLR0917 - the parts of one sentence
    service: Service, scope: str, field: str, ways: str, served: list[str], without: list[str]
) -> Problem:
    named = ", ".join(without[:5]) + (f" and {len(without) - 5} more" if len(without) > 5 else "")  # noqa: PLR2004
    balanced = field == "externalTrafficPolicy" and service.ingress_ips
    return Problem(
        message=f"{service.full_name} has {field} Local: {named} drop{'s' if len(without) == 1 else ''} what comes "
        f"{scope} to its {ways}, having no endpoint of it (only {', '.join(served[:5])} "
        f"{'has' if len(served) == 1 else 'have'})",
        evidence=(Evidence(service.ref.at("spec", field), "the policy"),),
        remedy="Use the address of a node with an endpoint, or accept other nodes' traffic: "
        + shell(
            "kubectl",
            "-n",
            service.namespace,
            "patch",
            "service",
            service.name,
            "-p",
            f'{{"spec":{{"{field}":"Cluster"}}}}',
        )
        + ("\nThe client's address is then masqueraded." if field.startswith("external") else ""),
        severity=Severity.INFO if balanced else None,
    )

"""The check `dns-pods-not-ready`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.commands import shell
from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod, Service
from analyzer.snapshot import ClusterView


@check(
    station=Station.DNS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=(
        "dns-forward-loop",
        "dns-cannot-reach-api",
        "node-not-ready",
        "network-plugin-not-ready",
    ),
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",),
)
def dns_pods_not_ready(cluster: ClusterView) -> Iterator[Problem]:
    """
    The pods that answer DNS are not ready: all (error), or some of them (warning).

    ## Why it matters
    Without one of them no name of a Service resolves anywhere in the cluster.

    ## How to put it right
    Read the log of the last container: `kubectl -n kube-system logs -l k8s-app=kube-dns --previous`. A
    forwarding loop and an API server that CoreDNS does not reach are the usual reasons.
    """
    pods = cluster.dns_pods
    down = [p for p in pods if not p.ready]
    service = next(iter(cluster.dns_services), None)
    if service is None or not service.spec.selector:
        return
    if not pods:
        yield _none(service)
    elif down:
        yield _not_ready(service, down, len(pods))


def _none(service: Service) -> Problem:
    return Problem(
        message=f"{service.full_name}, the cluster's DNS, has no pod",
        evidence=(Evidence(service.ref.at("spec", "selector"), "no pod has these labels"),),
        remedy="See whether its Deployment is there and not scaled to 0: "
        + shell("kubectl", "-n", service.namespace, "get", "deployments,daemonsets"),
        service=service.key,
    )


def _not_ready(service: Service, down: list[Pod], count: int) -> Problem:
    names = ", ".join(p.name for p in down[:3]) + (" …" if len(down) > 3 else "")  # noqa: PLR2004
    every = len(down) == count
    return Problem(
        message=f"{len(down)} of {count} DNS pods are not ready: {names}{_why(down[0])}",
        evidence=tuple(e for p in down[:3] for e in _shown(p)),
        remedy=shell("kubectl", "-n", down[0].namespace, "logs", down[0].name, "--previous")
        + "\n"
        + shell("kubectl", "-n", down[0].namespace, "describe", "pod", down[0].name),
        service=service.key,
        severity=None if every else Severity.WARNING,
    )


def _why(pod: Pod) -> str:
    for status in pod.status.container_statuses or ():
        if status.state and status.state.waiting and status.state.waiting.reason:
            return f" ({status.state.waiting.reason}, {status.restart_count} restarts)"
    return f" ({pod.status.phase})" if pod.status.phase != "Running" else ""


def _shown(pod: Pod) -> Iterator[Evidence]:
    for position, condition in enumerate(pod.status.conditions or ()):
        if condition.type == "Ready":
            yield Evidence(
                pod.ref.at("status", "conditions", position, "status"), f"Ready of {pod.name}"
            )
            return
    yield Evidence(pod.ref.at("status", "phase"), f"phase of {pod.name}")

"""The check `dns-pods-not-ready`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod, Service
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Problem, Undecided
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
        "endpoints-not-written",
        "selector-matches-no-pods",
    ),
    references=("https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",),
)
def dns_pods_not_ready(cluster: ClusterView) -> Iterator[Outcome]:
    """
    The pods that answer DNS are not ready: all (error), or some of them (warning).

    ## Why it matters
    Without one of them no name of a Service resolves anywhere in the cluster.

    ## How to put it right
    Read the log of the last container: `kubectl -n kube-system logs -l k8s-app=kube-dns --previous`. A
    forwarding loop and an API server that CoreDNS does not reach are the usual reasons: a container that runs
    and is not ready waits for the API server.

    ## Where it is silent
    For a DNS Service without pods that nobody asks (Cloud DNS for GKE leaves one behind).
    """
    if not cluster.dns_services:
        yield Undecided(reason=_("the bundle shows no DNS Service, so its pods are not known"))
    told: set[frozenset[str]] = set()
    for service in cluster.dns_services:
        pods = [p for p in cluster.service_views[service.key].selected_pods if not p.terminating]
        names = frozenset(p.full_name for p in pods)
        if not service.spec.selector or names in told:
            continue
        told.add(names)
        down = [p for p in pods if not p.ready]
        if not pods:
            yield from _without_pods(cluster, service)
        elif down:
            yield _not_ready(service, down, len(pods))


def _without_pods(cluster: ClusterView, service: Service) -> Iterator[Outcome]:
    nodes = cluster.nodes.values()
    asked = cluster.asked_nameservers
    elsewhere = any(n.answers_dns_beside_the_cluster(a) for n in nodes for a in asked)
    if elsewhere and asked.isdisjoint(cluster.dns_addresses):
        return
    if any(n.provider_id.startswith("gce:") for n in nodes):
        yield Undecided(
            reason=_(
                "{service} has no pod; whether Cloud DNS for GKE answers in its place is not known",
                service=service.full_name,
            ),
            service=service.key,
        )
        return
    others = [s for s in cluster.dns_services if s is not service]
    if any(p.ready for s in others for p in cluster.service_views[s.key].selected_pods):
        return
    yield Problem(
        message=_("{service}, the cluster's DNS, has no pod", service=service.full_name),
        evidence=(Evidence(service.ref.at("spec", "selector"), _("no pod has these labels")),),
        remedy=_("See whether its Deployment is there and not scaled to 0: ")
        + shell("kubectl", "-n", service.namespace, "get", "deployments,daemonsets"),
        service=service.key,
    )


def _not_ready(service: Service, down: list[Pod], count: int) -> Problem:
    first = down[0]
    every = len(down) == count
    restarted = any(s.restart_count for s in first.status.container_statuses or ())
    log = ["kubectl", "-n", first.namespace, "logs", first.name]
    return Problem(
        message=_(
            "{count} of {total} DNS pods of {service} {are} not ready: {names}{why}",
            count=len(down),
            total=count,
            service=service.full_name,
            are=plural("is", "are", len(down)),
            names=listed([p.name for p in down]),
            why=_why(first),
        ),
        evidence=tuple(e for p in down[:3] for e in _shown(p)),
        remedy=shell("kubectl", "-n", first.namespace, "describe", "pod", first.name)
        + "\n"
        + shell(*log, *(["--previous"] if restarted else [])),
        service=service.key,
        severity=None if every else Severity.WARNING,
    )


def _why(pod: Pod) -> str:
    for status in pod.status.container_statuses or ():
        if status.state and status.state.waiting and status.state.waiting.reason:
            return _(
                " ({reason}, {restart_count} restarts)",
                reason=status.state.waiting.reason,
                restart_count=status.restart_count,
            )
    return f" ({pod.status.phase})" if pod.status.phase != "Running" else ""


def _shown(pod: Pod) -> Iterator[Evidence]:
    for position, condition in enumerate(pod.status.conditions or ()):
        if condition.type == "Ready":
            yield Evidence(
                pod.ref.at("status", "conditions", position, "status"),
                _("Ready of {pod}", pod=pod.name),
            )
            return
    yield Evidence(pod.ref.at("status", "phase"), _("phase of {pod}", pod=pod.name))

"""The check `service-not-found`."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _, plural
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Service, Workload
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView

_LONGEST = 63
"""Characters that the name of a Service can have (RFC 1035 label)."""

_LIKENESS = 0.75
"""From here on `SequenceMatcher` calls names similar that people confuse: hostname, hostnames, host-names."""


@check(
    station=Station.EXISTS,
    severity=Severity.ERROR,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#does-the-service-exist",
        "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/",
    ),
)
def service_not_found(cluster: ClusterView) -> Iterator[Problem]:
    """
    A Service that was asked for does not exist.

    ## Why it matters
    A name without a Service resolves to nothing, and there is no address to connect to. Often the Service
    is there, but in another namespace: its short name then only resolves for pods of that namespace.

    ## How to put it right
    Use the name `service.namespace` of the one that is there, or create it:
    `kubectl expose deployment NAME --port=80 --target-port=9376`.

    ## Where it is silent
    It only runs for Services that were asked for by name (`--service`).
    """
    for key in cluster.asked_services:
        if key not in cluster.services:
            yield _missing(cluster, key)


def _missing(cluster: ClusterView, key: ServiceKey) -> Problem:
    near = _near(cluster, key)
    workload = None if near else _workload(cluster, key)
    if near:
        found = _("; there is {names}", names=listed([s.full_name for s in near]))
    elif workload is not None:
        found = _(
            "; there is only {kind} {workload}", kind=workload.kind, workload=workload.full_name
        )
    else:
        found = _(", nor one of a similar name")
    return Problem(
        service=key,
        message=f"{_what_is_missing(cluster, key)}{found}",
        evidence=tuple(_evidence(cluster, key, near, workload)),
        remedy=_remedy(key, near, workload),
    )


def _near(cluster: ClusterView, key: ServiceKey) -> tuple[Service, ...]:
    """Return Services of that name elsewhere, then those of a similar name, the likeliest first."""
    rated = [(_rating(key, service), service) for service in cluster.services.values()]
    ordered = sorted((r for r in rated if r[0] > 0), key=lambda r: (-r[0], r[1].full_name))
    return tuple(service for _, service in ordered[:3])


def _rating(key: ServiceKey, service: Service) -> float:
    names = (key.name[:_LONGEST].lower(), service.name[:_LONGEST].lower())
    likeness = SequenceMatcher(None, *names).ratio()
    if likeness < _LIKENESS:
        return 0
    same_namespace = service.namespace == key.namespace
    return likeness + (1 if service.name == key.name else 0) + (0.5 if same_namespace else 0)


def _workload(cluster: ClusterView, key: ServiceKey) -> Workload | None:
    kinds = {"Deployment", "StatefulSet", "DaemonSet"}
    return next(
        (
            w
            for w in cluster.workloads
            if (w.namespace, w.name) == (key.namespace, key.name) and w.kind in kinds
        ),
        None,
    )


def _what_is_missing(cluster: ClusterView, key: ServiceKey) -> str:
    namespaces = {n.name for n in cluster.namespaces}
    if cluster.has(Input.NAMESPACES) and key.namespace not in namespaces:
        return _(
            "there is no Service {key}, and no namespace {namespace}",
            key=key,
            namespace=key.namespace,
        )
    return _("there is no Service {key}", key=key)


def _evidence(
    cluster: ClusterView, key: ServiceKey, near: tuple[Service, ...], workload: Workload | None
) -> Iterator[Evidence]:
    for service in near:
        same = service.name == key.name
        field = "namespace" if same else "name"
        note = _("a Service of that name in another namespace") if same else _("a similar name")
        yield Evidence(service.ref.at("metadata", field), note)
    if workload is not None:
        yield Evidence(workload.ref.at("metadata", "name"), _("a workload, but no Service of it"))
    if not near and workload is None:
        count = plural("{count:,} Service", "{count:,} Services", len(cluster.services))
        path = cluster.availability(Input.SERVICES).path
        yield Evidence(SourceRef(path, 1), _("the list of {count}, none of that name", count=count))


def _remedy(key: ServiceKey, near: tuple[Service, ...], workload: Workload | None) -> str:
    if near:
        best = near[0]
        name = best.name if best.namespace == key.namespace else f"{best.name}.{best.namespace}"
        return _(
            "Use the name {name}, if {best} is the one that is meant",
            name=name,
            best=best.full_name,
        )
    if workload is None:
        return _("Create the Service, or ask for its right name: ") + shell(
            "kubectl", "get", "services", "--all-namespaces"
        )
    words = ["kubectl", "-n", key.namespace, "expose", workload.kind.lower(), workload.name]
    ports = [p for c in workload.spec.template.spec.containers or () for p in c.ports or ()]
    target = str(ports[0].container_port) if ports else _("<port of the container>")
    return shell(*words, "--port=80", f"--target-port={target}")

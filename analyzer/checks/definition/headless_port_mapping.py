"""The check `headless-port-mapping`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.expect.target_port import resolve_target_port
from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import ServicePort
from analyzer.phrases import listed
from analyzer.snapshot import ServiceView


@check(
    station=Station.DEFINITION,
    severity=Severity.WARNING,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/concepts/services-networking/service/#headless-services",
        "https://github.com/kubernetes/kubernetes/issues/20488",
    ),
)
def headless_port_mapping(view: ServiceView) -> Iterator[Outcome]:
    """
    A headless Service has a port that differs from that of its pods, and nothing translates it.

    ## Why it matters
    The name of a headless Service resolves to the addresses of its pods, and clients connect to them
    directly. The Service's port exists nowhere: who uses it is refused, unless it asks DNS for the SRV record.

    ## How to put it right
    Give the Service the port of the pods, let clients use that port, or make a Service with a cluster IP
    (`clusterIP` cannot be changed: delete and create it).
    """
    service = view.service
    if not service.headless or service.spec.type == "ExternalName":
        return
    for index, port in enumerate(service.ports):
        numbers = _target_numbers(view, port)
        if numbers is None:
            yield Undecided(
                reason=f"where target port {port.effective_target_port} leads cannot be told without "
                "endpoints or pods",
                missing=(Input.ENDPOINT_SLICES.path(), Input.PODS.path()),
                command=Input.ENDPOINT_SLICES.command(),
            )
        elif numbers and port.port not in numbers:
            told = listed([str(n) for n in sorted(numbers)])
            yield Problem(
                message=f"headless Service {service.full_name} has port {port.port}, but its pods answer on "
                f"{told}: without a cluster IP nothing translates it",
                evidence=(
                    Evidence(service.ref.at("spec", "ports", index, "port"), "port of the Service"),
                    Evidence(service.target_port_ref(index), f"leads to {told}"),
                    Evidence(service.ref.at("spec", "clusterIP"), "headless"),
                ),
                remedy=f"Connect to port {told}, or make the Service one with a cluster IP",
                port=port.label,
            )


def _target_numbers(view: ServiceView, port: ServicePort) -> set[int] | None:
    """Return the ports of the pods, as published or else as declared; None where neither can be seen."""
    if isinstance(port.effective_target_port, int) and view.service.spec.selector:
        return {port.effective_target_port}
    published = {b.endpoint.port for b in view.backends if b.port_name == port.name}
    if published:
        return published
    cluster = view.cluster
    if view.service.spec.selector and cluster.has(Input.PODS):
        found = (resolve_target_port(port, pod).number for pod in view.selected_pods)
        return {number for number in found if number is not None}
    seen = cluster.has(Input.ENDPOINT_SLICES) or cluster.has(Input.ENDPOINTS)
    return set() if seen else None

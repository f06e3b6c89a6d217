"""The check `service-for-another-proxy`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.backends import HEADLESS_LABEL, OTHER_PROXY_LABEL
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ServiceView


@check(
    station=Station.EXISTS,
    severity=Severity.WARNING,
    needs=(Input.SERVICES,),
    references=(
        "https://kubernetes.io/docs/reference/labels-annotations-taints/#servicekubernetesioservice-proxy-name",
        "https://kubernetes.io/docs/reference/labels-annotations-taints/#servicekubernetesioheadless",
    ),
)
def service_for_another_proxy(view: ServiceView) -> Iterator[Outcome]:
    """
    A label tells kube-proxy to leave the Service alone.

    ## Why it matters
    kube-proxy ignores Services with the label `service.kubernetes.io/service-proxy-name` (Kubernetes 1.14)
    or `service.kubernetes.io/headless` (1.16), whatever the value. Unless another proxy serves it, nothing
    answers on its cluster IP, although Service, pods and endpoints look right.

    ## How to put it right
    Remove the label, or run the proxy that it names.

    ## Where it is silent
    On headless and ExternalName Services, which kube-proxy does not serve anyway. Where pods named after the
    proxy run, this is only advice.
    """
    service = view.service
    if service.headless or service.spec.type == "ExternalName":
        return
    label = next((x for x in (OTHER_PROXY_LABEL, HEADLESS_LABEL) if x in service.labels), None)
    if label is None:
        return
    proxy = service.labels[label] if label == OTHER_PROXY_LABEL else ""
    pod = _pod_of_proxy(view, proxy)
    evidence = [
        Evidence(service.ref.at("metadata", "labels", label), _("kube-proxy leaves it alone"))
    ]
    if pod is not None:
        evidence.append(Evidence(pod.ref.at("metadata", "name"), _("a pod of that proxy")))
    yield Problem(
        message=_(
            "{service} carries the label {label}={value}: kube-proxy does not serve it",
            service=service.full_name,
            label=label,
            value=service.labels[label],
        )
        + (_(", {proxy} may", proxy=proxy) if pod else ""),
        evidence=tuple(evidence),
        remedy=_("If no other proxy is meant to serve it: ")
        + shell("kubectl", "-n", service.namespace, "label", "service", service.name, f"{label}-"),
        severity=Severity.INFO if pod or not view.cluster.has(Input.PODS) else None,
    )
    if not view.cluster.has(Input.PODS):
        yield Undecided(
            reason=_("whether that proxy runs cannot be told: ")
            + view.cluster.availability(Input.PODS).reason,
            missing=(Input.PODS.path(),),
            command=Input.PODS.command(),
        )


def _pod_of_proxy(view: ServiceView, proxy: str) -> Pod | None:
    if not proxy or proxy == "kube-proxy":
        return None
    return next((p for p in view.cluster.pods if p.ready and p.name.startswith(proxy)), None)

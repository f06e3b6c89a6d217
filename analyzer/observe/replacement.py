"""Whether another program serves Services in kube-proxy's place (kube-facts F1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from analyzer.model.kubernetes import ConfigMap, Pod
from analyzer.model.source import Ref
from analyzer.observe.evidence import ProxyEvidence

_REPLACES = {"true", "strict"}
"""Values of Cilium's `kube-proxy-replacement` that replace kube-proxy as a whole (1.14 has `true`, before `strict`)."""

_CILIUM_FLAG = re.compile(r"--kube-proxy-replacement=(?:true|strict)", re.ASCII)
_ANTREA_SETTING = re.compile(r"^\s*proxyAll:\s*true\s*$", re.MULTILINE)
_CALICO_ENDPOINT = "kubernetes-services-endpoint"
"""ConfigMap by which Calico reaches the API server without kube-proxy in its eBPF mode."""

_OVN = "ovnkube-node-"
_SDN = "sdn-"


def replacement_of(evidence: ProxyEvidence) -> Ref | None:
    """Return what says that another program is in kube-proxy's place, or None.

    It says nothing about a kube-proxy that runs all the same.
    """
    by_configuration = (ref for c in evidence.other_config_maps for ref in _configured(c))
    by_pod = (ref for pod in evidence.pods for ref in _running(pod))
    return next(by_configuration, None) or next(by_pod, None)


def _configured(config_map: ConfigMap) -> Iterator[Ref]:
    values = config_map.data or {}
    if config_map.name == "cilium-config":
        if values.get("kube-proxy-replacement", "").strip().lower() in _REPLACES:
            yield config_map.ref.at("data", "kube-proxy-replacement")
    elif config_map.name.startswith("antrea-config"):
        for key, text in values.items():
            if _ANTREA_SETTING.search(text):
                yield config_map.ref.at("data", key)
    elif config_map.name == _CALICO_ENDPOINT:
        yield config_map.ref.at("data")


def serving_services(pods: Iterable[Pod]) -> Iterator[Pod]:
    """Yield the pods that run kube-proxy, by themselves or inside OpenShift's SDN, or what replaces it.

    Most pods run nothing that could be either: of those in a row with the same containers one is looked at.
    """
    seen, may_be = None, False
    for pod in pods:
        if pod.spec.containers is not seen:
            seen = pod.spec.containers
            may_be = any(c.command or c.args or "kube" in c.image for c in pod.containers)
        if _serves_services(pod) if may_be else pod.name.startswith((_OVN, _SDN)):
            yield pod


def _serves_services(pod: Pod) -> bool:
    return (
        ProxyEvidence.container_of(pod) is not None
        or next(_running(pod), None) is not None
        or is_openshift_sdn(pod)
    )


def is_openshift_sdn(pod: Pod) -> bool:
    """Tell whether a pod is OpenShift's SDN, which runs kube-proxy inside itself."""
    return pod.namespace == "openshift-sdn" and pod.name.startswith(_SDN)


def _running(pod: Pod) -> Iterator[Ref]:
    if pod.finished:
        return
    for index, container in enumerate(pod.containers):
        words = (*(container.command or ()), *(container.args or ()))
        image = container.image.rpartition("/")[2]
        kube_router = image.startswith("kube-router") and "--run-service-proxy=false" not in words
        if kube_router or any(_CILIUM_FLAG.fullmatch(word) for word in words):
            yield pod.ref.at("spec", "containers", index)
    if pod.name.startswith(_OVN):
        yield pod.ref.at("metadata", "name")

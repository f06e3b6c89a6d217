"""The check `kube-proxy-node-name-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.observe.proxy_log import Topic
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    references=("https://github.com/kubernetes/kubernetes/issues/71851",),
)
def kube_proxy_node_name_mismatch(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy looks for its node under a name that the cluster does not have.

    ## Why it matters
    It cannot tell which endpoints are on its own node: Services with a Local traffic policy have none
    there, the node's address is guessed, and zone hints are ignored.

    ## How to put it right
    Start kube-proxy with `--hostname-override` set to the Node object's name (kubeadm does so from
    `spec.nodeName`).
    """
    log = node.proxy_log_topics
    found = log.current(Topic.NODE_UNKNOWN)
    if found is None and (override := node.kube_proxy.options.hostname_override):
        yield from _from_configuration(node, override)
        return
    if found is None:
        return
    evidence = [Evidence(found.last.source, f"the last of {found.count} such lines")]
    assumed = log.last(Topic.NODE_ADDRESS_ASSUMED)
    if assumed is not None:
        evidence.append(Evidence(assumed.source, "and so it guesses its address"))
    if node.api_object is not None:
        evidence.append(Evidence(node.api_object.ref.at("metadata", "name"), "the node's name"))
    yield Problem(
        message=f"kube-proxy on {node.name} does not find its own node in the API under the name it uses",
        evidence=tuple(evidence),
        remedy=f"Set --hostname-override (or hostnameOverride in its configuration) to {node.name} and "
        "restart it.",
    )


def _from_configuration(node: NodeView, override: str) -> Iterator[Problem]:
    source = node.kube_proxy.options.source
    known = node.cluster.nodes
    api = known.get(override)
    if source is None or node.api_object is None or override == node.name or "$(" in override:
        return
    told = (
        "is no node of the cluster" if api is None or api.api_object is None else "is another node"
    )
    yield Problem(
        message=f"kube-proxy on {node.name} is told that its node is {override}, which {told}",
        evidence=(
            Evidence(source, f"hostname override {override}"),
            Evidence(node.api_object.ref.at("metadata", "name"), "the node's name"),
        ),
        remedy=f"Set --hostname-override (or hostnameOverride) to {node.name} and restart kube-proxy.",
    )

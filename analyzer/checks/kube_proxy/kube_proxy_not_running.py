"""The check `kube-proxy-not-running`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.commands import shell
from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.kubernetes import ContainerStatus, Pod, Workload
from analyzer.model.source import SourceRef
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.ERROR,
    consequence_of=("node-not-ready",),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-running",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
    ),
)
def kube_proxy_not_running(node: NodeView) -> Iterator[Outcome]:
    """
    A node that should run kube-proxy does not.

    ## Why it matters
    kube-proxy copies Services and endpoints into the node's rules. Without it the node keeps the rules
    it had (connections go to pods that are gone), or has none at all.

    ## How to put it right
    Find out why its pod is not there or not up: `kubectl -n kube-system get pods -o wide`, the taints of
    the node against the tolerations of the DaemonSet, the log of the previous container.

    ## Where it is silent
    Where a replacement for kube-proxy runs by design (Cilium, Calico eBPF, OVN-Kubernetes, …), and where
    kube-proxy is part of another program (k3s, MicroK8s). Without processes.txt and without pods it is
    not evaluated.
    """
    if node.kube_proxy.mode in {ProxyMode.REPLACED, ProxyMode.WINDOWS} or node.embeds_kube_proxy:
        return
    pods = [p for p in node.proxy_pods if not p.finished]
    if node.has(Input.PROCESSES):
        yield from _from_processes(node, pods)
    elif node.proxy_answered:
        return
    elif pods:
        yield from _from_pods(node, pods)
    elif node.cluster.has(Input.PODS) and node.api_object is not None:
        yield from _from_other_nodes(node)
    else:
        yield Undecided(
            reason=f"neither processes of {node.name} nor pods are in the bundle",
            missing=(Input.PROCESSES.path(node.name), Input.PODS.path()),
            command=Input.PROCESSES.command(node.name),
        )


def _from_processes(node: NodeView, pods: list[Pod]) -> Iterator[Outcome]:
    if node.proxy_processes or node.proxy_answered:
        return
    if not node.cluster.runs_kube_proxy:
        yield Undecided(
            reason="no node shows a kube-proxy: it may be part of another program, or replaced",
            missing=(Input.DAEMON_SETS.path(),),
            command=Input.DAEMON_SETS.command(),
        )
        return
    processes = Input.PROCESSES.path(node.name)
    evidence = [
        Evidence(SourceRef(processes, 1), "no line of kube-proxy in this list of processes")
    ]
    down = next((e for p in pods for e in [_state_of(p)] if e is not None), None)
    if down is not None:
        evidence.append(down)
    yield Problem(
        message=f"kube-proxy is not running on {node.name}: no process of it"
        + (", although its pod is listed as running" if pods and down is None else ""),
        evidence=tuple(evidence),
        remedy=_remedy(node, pods),
    )


def _from_pods(node: NodeView, pods: list[Pod]) -> Iterator[Outcome]:
    if any(p.ready for p in pods):
        return
    state = next((e for p in pods for e in [_state_of(p)] if e is not None), None)
    if state is None:
        return
    yield Problem(
        message=f"the kube-proxy pod {pods[0].full_name} of {node.name} is not up",
        evidence=(state,),
        remedy=_remedy(node, pods),
    )


def _from_other_nodes(node: NodeView) -> Iterator[Outcome]:
    """Other nodes have a pod of kube-proxy, this one has none."""
    daemon_set = node.cluster.proxy_daemon_set
    if node.api_object is None or daemon_set is None or not node.cluster.runs_kube_proxy:
        return
    if not _wanted_on(daemon_set, node):
        return
    yield Problem(
        message=f"no kube-proxy pod on {node.name}: DaemonSet {daemon_set.full_name} has none there",
        evidence=(
            Evidence(node.api_object.ref.at("metadata", "name"), "the node without kube-proxy"),
            Evidence(daemon_set.ref.at("status"), "what the DaemonSet scheduled"),
        ),
        remedy=_remedy(node, []),
    )


def _wanted_on(daemon_set: Workload, node: NodeView) -> bool:
    selector = daemon_set.spec.template.spec.node_selector or {}
    labels = node.api_object.labels if node.api_object else {}
    return all(labels.get(key, value) == value for key, value in selector.items())


def _state_of(pod: Pod) -> Evidence | None:
    """Return the line that says why the pod is not up, or None where it looks fine."""
    for position, status in enumerate(pod.status.container_statuses or ()):
        reason = _reason(status)
        if reason:
            return Evidence(
                pod.ref.at("status", "containerStatuses", position, "state"),
                f"{status.name}: {reason}, {status.restart_count} restarts",
            )
    if pod.status.phase not in {"Running", ""}:
        return Evidence(pod.ref.at("status", "phase"), f"pod {pod.name} is {pod.status.phase}")
    return None


def _reason(status: ContainerStatus) -> str:
    state = status.state
    if state is None or status.ready:
        return ""
    detail = state.waiting or state.terminated
    return (detail.reason or "not running") if detail else ""


def _remedy(node: NodeView, pods: list[Pod]) -> str:
    if pods:
        pod = pods[0]
        return shell("kubectl", "-n", pod.namespace, "logs", pod.name, "--previous") + (
            "\nthen, once the reason is put right: "
            + shell("kubectl", "-n", pod.namespace, "delete", "pod", pod.name)
        )
    return f"See why no pod is scheduled there: {shell('kubectl', 'describe', 'node', node.name)}"

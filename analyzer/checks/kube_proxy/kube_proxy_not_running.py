"""The check `kube-proxy-not-running`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.daemon_scheduling import Decision, Placement, daemon_placement
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.kubernetes import ContainerStatus, Pod
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.observe.proxy_log import Topic
from analyzer.observe.proxy_reason import reason_in
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.ERROR,
    consequence_of=("node-not-ready", "kube-proxy-unauthorized", "kube-proxy-cannot-reach-api"),
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
    Where a replacement for kube-proxy runs by design (Cilium, Calico eBPF, OVN-Kubernetes, …), where
    kube-proxy is part of another program (k3s, MicroK8s, OpenShift SDN), on AWS Fargate, and on nodes that
    the DaemonSet's node selector or affinity leaves out. Without processes.txt and without pods it is not
    evaluated.
    """
    if node.kube_proxy.mode in {ProxyMode.REPLACED, ProxyMode.WINDOWS} or node.embeds_kube_proxy:
        return
    pods = [p for p in node.proxy_pods if not p.finished]
    placement = _placement(node)
    if node.proxy_processes or node.proxy_answered or placement.placement is Placement.ELSEWHERE:
        return
    if node.has(Input.PROCESSES):
        yield _no_process(node, pods, placement)
    elif pods:
        yield from _from_pods(node, pods)
    elif node.has(Input.PODS) and node.api_object is not None:
        yield _no_pod(node, placement)
    else:
        yield _undecided(
            node, _("neither processes of {node} nor pods are in the bundle", node=node.name)
        )


def _placement(node: NodeView) -> Decision:
    daemon_set = node.cluster.proxy_daemon_set
    if daemon_set is None or node.api_object is None or node.proxy_pods:
        return Decision(Placement.WANTED)
    return daemon_placement(daemon_set, node.api_object)


def _no_process(node: NodeView, pods: Sequence[Pod], placement: Decision) -> Outcome:
    cluster = node.cluster
    if not (cluster.runs_kube_proxy or cluster.proxy_daemon_set or node.proxy_log):
        return _undecided(
            node, _("no node shows a kube-proxy: it may be part of another program, or replaced")
        )
    listed_as_running = any(p.ready for p in pods)
    processes = Input.PROCESSES.path(node.name)
    return Problem(
        message=_("kube-proxy is not running on {node}: no process of it", node=node.name)
        + (_(", although its pod is listed as running") if listed_as_running else "")
        + _last_words(node)
        + _repelled(placement),
        evidence=(
            Evidence(SourceRef(processes, 1), _("no line of kube-proxy in this list of processes")),
            *_evidence(node, pods, placement),
        ),
        remedy=_remedy(node, pods),
    )


def _from_pods(node: NodeView, pods: Sequence[Pod]) -> Iterator[Outcome]:
    if any(p.ready for p in pods):
        if doubt := _doubt(node):
            yield _undecided(
                node, _("the pod of kube-proxy is listed as running, but {doubt}", doubt=doubt)
            )
        return
    evidence = _evidence(node, pods, Decision(Placement.WANTED))
    pod = pods[0]
    yield Problem(
        message=_(
            "the kube-proxy pod {pod} of {node} is not up{last_words}",
            pod=pod.full_name,
            node=node.name,
            last_words=_last_words(node),
        ),
        evidence=evidence or (Evidence(pod.ref.at("status", "conditions"), _("it is not ready")),),
        remedy=_remedy(node, pods),
    )


def _doubt(node: NodeView) -> str:
    """Return what speaks against a pod that is listed as running; empty where nothing does."""
    if node.proxy_log_topics.current(Topic.START_FAILED) is not None:
        return _("its log ends with an error that ends it")
    if node.collected and any(other.proxy_answered for other in node.cluster.nodes.values()):
        return _("it gave no answer on {node} as it did elsewhere", node=node.name)
    return ""


def _no_pod(node: NodeView, placement: Decision) -> Outcome:
    """No pod is known on the node, and its processes were not collected."""
    daemon_set = node.cluster.proxy_daemon_set
    if daemon_set is None or node.api_object is None:
        return _undecided(
            node,
            _("kube-proxy has no pod on {node}: it may run there outside of a pod", node=node.name),
        )
    return Problem(
        message=_(
            "no kube-proxy pod on {node}: DaemonSet {daemon_set} has none there",
            node=node.name,
            daemon_set=daemon_set.full_name,
        )
        + _repelled(placement),
        evidence=(
            Evidence(node.api_object.ref.at("metadata", "name"), _("the node without kube-proxy")),
            Evidence(
                daemon_set.ref.at("status", "desiredNumberScheduled"),
                _("on how many nodes it wants a pod"),
            ),
            *_evidence(node, (), placement),
        ),
        remedy=_remedy(node, ()),
    )


def _undecided(node: NodeView, reason: str) -> Undecided:
    wanted = Input.DAEMON_SETS if node.has(Input.PROCESSES) else Input.PROCESSES
    also = () if node.has(Input.PROCESSES) or node.has(Input.PODS) else (Input.PODS.path(),)
    return Undecided(
        reason=reason,
        missing=(wanted.path(node.name), *also),
        command=wanted.command(node.name),
    )


# --- what shows why ---


def _last_words(node: NodeView) -> str:
    failed = node.proxy_log_topics.current(Topic.START_FAILED)
    return (
        ""
        if failed is None
        else _("; its log ends with: {reason_in}", reason_in=reason_in(failed.last.text))
    )


def _repelled(placement: Decision) -> str:
    taint = placement.taint
    return (
        ""
        if taint is None
        else _("; the DaemonSet does not tolerate its taint {taint}", taint=taint.key)
    )


def _evidence(node: NodeView, pods: Sequence[Pod], placement: Decision) -> tuple[Evidence, ...]:
    failed = node.proxy_log_topics.current(Topic.START_FAILED)
    lines = [e for p in pods if not p.ready for e in [_state_of(p)] if e is not None][:1]
    if failed is not None:
        lines.append(Evidence(failed.last.source, _("the last thing that it says")))
    if placement.taint is not None and node.api_object is not None:
        index = (node.api_object.spec.taints or ()).index(placement.taint)
        place = node.api_object.ref.at("spec", "taints", index, "key")
        lines.append(Evidence(place, _("a taint of the node")))
    return tuple(lines)


def _state_of(pod: Pod) -> Evidence | None:
    """Return the line that says why the pod is not up, or None where nothing does."""
    for position, status in enumerate(pod.status.container_statuses or ()):
        reason = _reason(status)
        if reason:
            return Evidence(
                pod.ref.at("status", "containerStatuses", position, *_reason_field(status)),
                plural(
                    "{name}: {reason}, {count:,} restart",
                    "{name}: {reason}, {count:,} restarts",
                    status.restart_count,
                    name=status.name,
                    reason=reason,
                ),
            )
    if pod.status.phase not in {"Running", ""}:
        return Evidence(
            pod.ref.at("status", "phase"),
            _("pod {pod} is {phase}", pod=pod.name, phase=pod.status.phase),
        )
    return None


def _reason(status: ContainerStatus) -> str:
    state = status.state
    if state is None or status.ready:
        return ""
    detail = state.waiting or state.terminated
    return (detail.reason or _("not running")) if detail else _("not ready")


def _reason_field(status: ContainerStatus) -> tuple[str, ...]:
    state = status.state
    if state is None or (detail := state.waiting or state.terminated) is None:
        return ("ready",)
    kind = "waiting" if state.waiting else "terminated"
    return ("state", kind, "reason") if detail.reason else ("state", kind)


def _remedy(node: NodeView, pods: Sequence[Pod]) -> str:
    if pods:
        pod = pods[0]
        return (
            _("Read why it ended, put that right, then have the pod made anew:\n")
            + shell("kubectl", "-n", pod.namespace, "logs", pod.name, "--previous")
            + "\n"
            + shell("kubectl", "-n", pod.namespace, "delete", "pod", pod.name)
        )
    if node.cluster.proxy_daemon_set is not None:
        return _("See why no pod is scheduled there: ") + shell(
            "kubectl", "describe", "node", node.name
        )
    return _(
        "See on {node} why it does not run, and start it: systemctl status kube-proxy",
        node=node.name,
    )

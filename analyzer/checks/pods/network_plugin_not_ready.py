"""The check `network-plugin-not-ready`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.readiness import UnreadyCause, UnreadyPod, condition_ref, is_node_ready
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import shortened
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import Availability, NodeView

_PLUGIN = re.compile(
    r"NetworkPluginNotReady|network plugin (?:is not ready|returns error|not initialized)"
    r"|cni (?:plugin|config) (?:not|un)\s?initialized|No networks found in /etc/cni",
    re.IGNORECASE,
)
"""What kubelet and runtimes say (kube-facts C.3)."""


@check(
    station=Station.PODS,
    severity=Severity.ERROR,
    needs=(Input.NODES,),
    references=(
        "https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/",
        "https://kubernetes.io/docs/concepts/architecture/nodes/#node-status",
    ),
)
def network_plugin_not_ready(node: NodeView) -> Iterator[Outcome]:
    """
    The network plugin of a node does not work.

    ## Why it matters
    Without it no pod of the node gets a network: the node stays not ready, its pods never start, and Services
    have no endpoints there.

    ## How to put it right
    Install the plugin, or look at its pod on the node: it writes its configuration to /etc/cni/net.d when it is
    ready. `NetworkUnavailable` is taken back by the plugin, or by the controller that makes the routes.

    ## Where it is silent
    Lines of the kubelet's log that were written while a node started prove nothing once it is ready.
    """
    told: list[Outcome] = [*_conditions(node)]
    if not told:
        unready = _unready(node)
        told = [*_pods(node, unready)] or [*_unseen(node, unready)]
    yield from told


def _conditions(node: NodeView) -> Iterator[Problem]:
    item = node.api_object
    if item is None:
        return
    unavailable, ready = item.condition("NetworkUnavailable"), item.condition("Ready")
    if unavailable is not None and unavailable.status == "True":
        told = shortened(unavailable.message or unavailable.reason or "")
        shown = Evidence(condition_ref(item, "NetworkUnavailable"), unavailable.reason or "")
        yield _problem(
            node, _("node {node} has no network for pods: {told}", node=node.name, told=told), shown
        )
    elif ready is not None and not is_node_ready(item) and _PLUGIN.search(ready.message or ""):
        told = shortened(ready.message or "")
        shown = Evidence(condition_ref(item, "Ready", "message"), _("what the kubelet says"))
        message = _("the network plugin of {node} is not ready: {told}", node=node.name, told=told)
        yield _problem(node, message, shown, *_log(node))


def _log(node: NodeView) -> Iterator[Evidence]:
    found = next((e for e in reversed(node.kubelet_log) if _PLUGIN.search(e.text)), None)
    if found is not None:
        yield Evidence(found.source, _("the kubelet's log"))


def _pods(node: NodeView, unready: list[UnreadyPod]) -> Iterator[Problem]:
    """The node says that it is ready, but pods on it get no network."""
    stuck = [u for u in unready if u.cause is UnreadyCause.NETWORK]
    if stuck:
        yield _problem(
            node,
            _(
                "the network plugin of {node} fails to set up {pods}: {reason}",
                node=node.name,
                pods=plural("{count:,} pod", "{count:,} pods", len(stuck)),
                reason=stuck[0].reason,
            ),
            *(Evidence(u.source, _("pod {pod}", pod=u.pod.full_name)) for u in stuck[:3]),
        )


def _unready(node: NodeView) -> list[UnreadyPod]:
    return [node.cluster.why_unready(p) for p in node.pods.unready]


def _unseen(node: NodeView, unready: list[UnreadyPod]) -> Iterator[Undecided]:
    """Pods without an address may wait for the plugin: only events tell."""
    cluster = node.cluster
    waiting = any(not u.pod.ips and u.cause is UnreadyCause.OWN for u in unready)
    events_absent = cluster.availability(Input.EVENTS).availability is Availability.ABSENT
    if not cluster.has(Input.PODS):
        yield _undecided(node, Input.PODS)
    elif waiting and events_absent:
        yield _undecided(node, Input.EVENTS)


def _undecided(node: NodeView, needed: Input) -> Undecided:
    return Undecided(
        reason=node.cluster.availability(needed).reason,
        missing=(needed.path(),),
        command=needed.command(),
        node=node.name,
    )


def _problem(node: NodeView, message: str, *evidence: Evidence) -> Problem:
    return Problem(
        message=message,
        evidence=evidence,
        remedy=_(
            "Look at the pod of the network plugin on {node}, and at /etc/cni/net.d there: ",
            node=node.name,
        )
        + shell(
            *("kubectl", "get", "pods", "--all-namespaces", "-o", "wide"),
            *("--field-selector", f"spec.nodeName={node.name}"),
        ),
        affects=node.cluster.services_stopped_by_nodes.get(node.name, frozenset()),
    )

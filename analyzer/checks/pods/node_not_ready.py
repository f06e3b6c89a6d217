"""The check `node-not-ready`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.expect.readiness import condition_ref
from analyzer.language import _, plural
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import shortened
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView


@check(
    station=Station.PODS,
    severity=Severity.ERROR,
    needs=(Input.NODES,),
    consequence_of=("network-plugin-not-ready",),
    references=(
        "https://kubernetes.io/docs/concepts/architecture/nodes/#node-status",
        "https://kubernetes.io/docs/tasks/debug/debug-cluster/#example-debugging-a-down-unreachable-node",
    ),
)
def node_not_ready(node: NodeView) -> Iterator[Outcome]:
    """
    A node is not ready.

    ## Why it matters
    The node controller marks all pods of a node that is not ready as not ready themselves, so Services stop
    forwarding to them, even where they still run. After five minutes they are deleted and made anew elsewhere.

    ## How to put it right
    Find out what the kubelet misses: `kubectl describe node`, and on the node `systemctl status kubelet` and its
    log. `Unknown` means that the kubelet does not report any more: the node is down, or cannot reach the API.

    ## Where it is silent
    A node that only takes no new pods (cordoned) is ready.
    """
    if node.api_object is None:
        return
    condition = node.api_object.condition("Ready")
    if condition is None:
        yield Undecided(
            reason=_(
                "Node {node} has no condition Ready: no kubelet ever reported for it, or its "
                "status was left out of the dump",
                node=node.name,
            ),
            missing=(Input.NODES.path(),),
            command=Input.NODES.command(),
        )
        return
    if condition.status == "True":
        return
    pods = [
        p
        for p in node.cluster.pods_by_node.get(node.name, ())
        if not p.finished and not p.host_network
    ]
    services = node.cluster.services_stopped_by_nodes.get(node.name, frozenset())
    told = f": {shortened(condition.message).rstrip('.')}" if condition.message else ""
    since = (
        _(" since {last_transition_time}", last_transition_time=condition.last_transition_time)
        if condition.last_transition_time
        else ""
    )
    stopped = (
        _(
            ", which {services} cannot use",
            services=plural("{count:,} Service", "{count:,} Services", len(services)),
        )
        if services
        else ""
    )
    yield Problem(
        message=_(
            "node {node} is not ready (Ready is {status}{since}){told}; {pods} on it{stopped}",
            node=node.name,
            status=condition.status or _("not set"),
            since=since,
            told=told,
            pods=plural("{count:,} pod", "{count:,} pods", len(pods)),
            stopped=stopped,
        ),
        evidence=(
            Evidence(condition_ref(node.api_object, "Ready"), condition.reason or _("not ready")),
        ),
        remedy=shell("kubectl", "describe", "node", node.name)
        + _("; on {node}: ", node=node.name)
        + shell("journalctl", "--unit", "kubelet", "--since", "-1h"),
        affects=services,
    )

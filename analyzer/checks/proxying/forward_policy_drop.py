"""The check `forward-policy-drop`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _, plural
from analyzer.losses import Loss
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.simulate.outcome import Cause
from analyzer.snapshot import NodeView


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES, Input.PODS),
    references=(
        "https://github.com/kubernetes/kubernetes/issues/40182",
        "https://docs.docker.com/engine/network/packet-filtering-firewalls/",
    ),
)
def forward_policy_drop(node: NodeView) -> Iterator[Outcome]:
    """
    The policy of the FORWARD chain is DROP, and no rule accepts the pods' traffic before it.

    ## Why it matters
    Packets between pods are forwarded by the node. kube-proxy accepts those that it masquerades and those
    of known connections, not the first packet of one pod to another: connections from pods time out,
    while those from the node itself work.

    ## How to put it right
    `iptables -P FORWARD ACCEPT`, or a rule that accepts the pod range (network plugins mostly add one).
    Docker 1.13 and later sets the policy to DROP at its start; ufw and firewalld do too.

    ## Where it is silent
    When the network plugin's chains accept the traffic first: connections are followed through the rules.
    """
    losses = [x for x in node.losses if x.cause is Cause.POLICY and x.step.chain == "FORWARD"]
    if losses:
        yield _problem(node, losses)
        return
    for family in Family if node.unreachability else ():
        ruleset = node.ruleset(family)
        chain = ruleset.chain("filter", "FORWARD") if ruleset else None
        if chain is not None and chain.policy == "DROP":
            yield Undecided(
                reason=_(
                    "the policy of FORWARD on {node} is DROP; whether a rule accepts pods' "
                    "traffic first cannot be told: {unreachability}",
                    node=node.name,
                    unreachability=node.unreachability,
                ),
            )
            return


def _problem(node: NodeView, losses: list[Loss]) -> Problem:
    first = losses[0]
    source = first.step.source
    services = frozenset(loss.service_port.service for loss in losses)
    count = len({loss.service_port for loss in losses})
    tool = (
        "ip6tables" if "[" in first.destination or first.destination.count(":") > 1 else "iptables"
    )
    assert source is not None  # a policy stands in its chain's declaration
    return Problem(
        message=plural(
            "the policy of FORWARD on {node} is DROP: it loses connections to {count} "
            "Service port, for example {service_port} at {destination} {origin}",
            "the policy of FORWARD on {node} is DROP: it loses connections to {count} "
            "Service ports, for example {service_port} at {destination} {origin}",
            count,
            node=node.name,
            service_port=first.service_port,
            destination=first.destination,
            origin=first.origin,
        ),
        evidence=(Evidence(source, _("policy DROP, and no rule accepts these connections")),),
        remedy=_("On {node}: {tool} -P FORWARD ACCEPT", node=node.name, tool=tool),
        affects=services,
    )

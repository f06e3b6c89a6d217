"""The check `rules-reject-leftover`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.forwarding import Action
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "rules-absent",
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "rules-jump-dangling",
        "rules-chain-empty",
        "rules-service-missing",
        "rules-endpoint-missing",
        "external-ip-conflict",
        "node-port-conflict",
        "cluster-ip-duplicate",
    ),
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/",),
)
def rules_reject_leftover(node: NodeView) -> Iterator[Problem]:
    """
    The node refuses connections to a Service that has ready endpoints.

    ## Why it matters
    kube-proxy rejects (or drops) connections to a Service without endpoints. Here the endpoints are back,
    and the refusal is still there: clients see "connection refused", or a time-out.

    ## How to put it right
    Restart kube-proxy on the node.

    ## Where it is silent
    When the nat table translates the address all the same: translation comes first, and the refusal is
    then without effect. A node without endpoints of its own rightly drops what a Local policy keeps there,
    and clients outside loadBalancerSourceRanges are rightly dropped.
    """
    for family in Family:
        comparison = node.comparison(family)
        if comparison is None:
            continue
        for settled in (True, False):
            parts = [
                Part(
                    service=name.service,
                    text=f"{name}, {pair.expected.frontend}",
                    evidence=(
                        Evidence(
                            pair.observed.source,
                            _("refuses the {frontend}", frontend=pair.expected.frontend),
                        ),
                        Evidence(
                            pair.expected.targets[0].source,
                            _("{endpoint} is ready", endpoint=pair.expected.targets[0].endpoint),
                        ),
                    ),
                )
                for pair in comparison.differing
                for name in [pair.expected.service_port]
                if name is not None
                and pair.observed.action is not Action.FORWARD
                and pair.expected.allowed_actions == {Action.FORWARD}
                and pair.expected.targets
                and node.settled(name.service) is settled
            ]
            if parts:
                yield gathered(
                    _("{node} refuses connections to Services that have endpoints", node=node.name)
                    + ("" if settled else _(" (changed just before the dump)")),
                    parts,
                    remedy=_("Restart kube-proxy on {node}: ", node=node.name)
                    + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                    severity=None if settled else Severity.INFO,
                )

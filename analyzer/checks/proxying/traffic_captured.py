"""The check `traffic-captured`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _
from analyzer.losses import Loss
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
from analyzer.model.station import Station
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES, Input.PODS),
    references=("https://github.com/kubernetes/kubernetes/issues/66103",),
)
def traffic_captured(node: NodeView) -> Iterator[Problem]:
    """
    Another program's DNAT or REDIRECT takes connections to a Service before kube-proxy's rules do.

    ## Why it matters
    Clients reach another program than the Service's pods. Usual: a hostPort with the Service's port whose
    rules stand before KUBE-SERVICES (CNI portmap before 0.7.5), a transparent proxy, a leftover port forward.

    ## How to put it right
    Take the rule out where it is made, or restrict it to its own addresses.

    ## How it is found out
    Every Service port is followed through the rulesets as the kernel executes them.
    """
    by_rule: dict[Ref, dict[str, Loss]] = {}
    for loss in node.losses:
        if loss.captured_by is not None and loss.captured_by.source is not None:
            by_rule.setdefault(loss.captured_by.source, {})[str(loss.service_port)] = loss
    for source, losses in by_rule.items():
        rule = next(iter(losses.values())).step.text
        yield gathered(
            _("{node}: {rule} takes connections to Services", node=node.name, rule=rule),
            [
                Part(
                    service=loss.service_port.service,
                    text=_(
                        "{service_port} at {destination} {origin}",
                        service_port=loss.service_port,
                        destination=loss.destination,
                        origin=loss.origin,
                    ),
                    evidence=(
                        Evidence(
                            source,
                            _("translates {destination} first", destination=loss.destination),
                        ),
                    ),
                )
                for loss in losses.values()
            ],
            remedy=_(
                "Find the program that made this rule on {node} and restrict the rule to its "
                "own address and port, or let it stand after the jump to KUBE-SERVICES.",
                node=node.name,
            ),
        )

"""The check `target-port-quoted-number`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import set_target_port
from analyzer.expect.target_port import PortOutcome, resolve_in_pods
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ServiceView


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-the-service-defined-correctly",
        "https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
    ),
)
def target_port_quoted_number(view: ServiceView) -> Iterator[Outcome]:
    """
    A target port is a number in quotes, which Kubernetes looks up as a name.

    ## Why it matters
    `targetPort: "9376"` means the container port *named* 9376. No port can have such a name, so the pods are
    left out of the endpoints and the Service port has none.

    ## How to put it right
    Write the number without quotes.

    ## Where it is silent
    Where endpoints of this port were published all the same: then the quotes come from the tool that wrote
    the dump.
    """
    service = view.service
    pods = view.current_pods or view.selected_pods
    for index, port in enumerate(service.ports):
        target = port.effective_target_port
        if not isinstance(target, str) or not target.isdigit():
            continue
        outcomes = {found.outcome for found in resolve_in_pods(port, pods)}
        published = any(b.port_name == port.name for b in view.backends)
        if outcomes != {PortOutcome.QUOTED_NUMBER} or published:
            continue
        needed = view.cluster.endpoints_input
        if not view.cluster.has(needed):
            yield Undecided(
                reason=_("whether the quotes are the Service's own cannot be told: ")
                + view.cluster.availability(needed).reason,
                missing=(needed.path(),),
                command=needed.command(),
            )
            continue
        yield Problem(
            message=_(
                'targetPort of port {label} is the text "{target}", not the number: no '
                "container port has that name",
                label=port.label,
                target=target,
            ),
            evidence=(Evidence(service.target_port_ref(index), _("a number in quotes")),),
            remedy=set_target_port(service.namespace, service.name, index, int(target)),
            port=port.label,
        )

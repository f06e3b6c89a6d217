"""The check `target-port-name-missing`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from analyzer.check import check
from analyzer.commands import set_target_port
from analyzer.expect.target_port import (
    DeclaredPort,
    PortOutcome,
    declared_ports,
)
from analyzer.language import _, plural
from analyzer.model.forwarding import Protocol
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod, ServicePort
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.service_groups import TargetPort, target_ports
from analyzer.snapshot import ClusterView

_LONGEST = 15
"""Characters that the name of a port can have (RFC 6335)."""


@check(
    station=Station.DEFINITION,
    severity=Severity.ERROR,
    needs=(Input.SERVICES, Input.PODS),
    consequence_of=("protocol-mismatch", "selector-too-broad"),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-the-service-defined-correctly",
        "https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
    ),
)
def target_port_name_missing(cluster: ClusterView) -> Iterator[Problem]:
    """
    A target port is a name that no container of a selected pod gives to a port.

    ## Why it matters
    The controllers look the name up in each pod. A pod without it is left out of the endpoints of this port,
    although it is ready; where all pods lack it, the port has no endpoints.

    ## How to put it right
    Give the port in the pod template that name, or let targetPort name the port that is there.

    ## Where it is silent
    On names of another protocol (see protocol-mismatch) and on numbers in quotes
    (see target-port-quoted-number). Where only some pods lack the name, it is a warning.
    """
    for target in target_ports(cluster):
        if isinstance(target.first.port.effective_target_port, int):
            continue
        lacking = [
            pod
            for pod, found in zip(target.pods, target.resolutions, strict=True)
            if found.outcome is PortOutcome.NAME_MISSING
        ]
        if lacking:
            yield _problem(target, lacking)


def _problem(target: TargetPort, lacking: Sequence[Pod]) -> Problem:
    use, pod = target.first, lacking[0]
    declared = list(declared_ports(pod))
    some = len(lacking) < len(target.pods)
    return Problem(
        message=_(
            "targetPort {effective_target_port} of {names} names no port in {who}{known}",
            effective_target_port=use.port.effective_target_port,
            names=target.names,
            who=_who(target, lacking),
            known=_known(lacking, declared),
        ),
        evidence=(
            Evidence(use.view.service.target_port_ref(use.index), _("the name that is looked up")),
            _what_is_declared(pod, declared),
        ),
        remedy=_remedy(target, lacking, declared),
        service=target.service,
        affects=target.affects,
        port=target.label,
        severity=Severity.WARNING if some else None,
        partial=target.partial,
    )


def _who(target: TargetPort, lacking: Sequence[Pod]) -> str:
    if len(lacking) == len(target.pods):
        return plural("{count:,} pod", "{count:,} pods", len(lacking))
    names = listed([p.name for p in lacking])
    return _(
        "{count} of {pods} ({names})",
        count=len(lacking),
        pods=plural("{count:,} pod", "{count:,} pods", len(target.pods)),
        names=names,
    )


def _known(lacking: Sequence[Pod], declared: Sequence[DeclaredPort]) -> str:
    names = sorted({d.name for d in declared if d.name})
    verb = _("they declare") if len(lacking) > 1 else _("it declares")
    return f"; {verb} {listed(names, 5)}" if names else ""


def _what_is_declared(pod: Pod, declared: Sequence[DeclaredPort]) -> Evidence:
    named = next((d for d in declared if d.name), None)
    if named is not None:
        return Evidence(named.source.at("name"), _("a port name in pod {pod}", pod=pod.name))
    if declared:
        return Evidence(
            declared[0].source.at("containerPort"),
            _("a port without a name in pod {pod}", pod=pod.name),
        )
    return Evidence(pod.ref.at("spec", "containers"), _("no named port in pod {pod}", pod=pod.name))


def _remedy(target: TargetPort, lacking: Sequence[Pod], declared: Sequence[DeclaredPort]) -> str:
    use = target.first
    service = use.view.service
    name = str(use.port.effective_target_port)
    meant = _meant(use.port, declared)
    if meant is None or len(lacking) < len(target.pods):
        return _(
            "Give the port the name {name} in the template of {names}",
            name=name,
            names=listed([p.name for p in lacking]),
        )
    command = set_target_port(
        service.namespace, service.name, use.index, meant.name or meant.number
    )
    return _("{command}  # or name that container port {name}", command=command, name=name)


def _meant(port: ServicePort, declared: Sequence[DeclaredPort]) -> DeclaredPort | None:
    """Return the declared port that the Service probably means: of a similar name, or the only one."""
    protocol = Protocol.parse(port.protocol)
    fitting = [d for d in declared if d.protocol is protocol]
    wanted = (str(port.effective_target_port), port.name)
    for name in wanted:
        near = get_close_matches(name[:_LONGEST], [d.name[:_LONGEST] for d in fitting], 1)
        if name and near and near[0]:
            return next(d for d in fitting if d.name.startswith(near[0]))
    return fitting[0] if len(fitting) == 1 else None

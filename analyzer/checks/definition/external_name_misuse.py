"""The check `external-name-misuse`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import edit
from analyzer.language import _
from analyzer.model.address import canonical_ip, family_of
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ServiceView

_SERVICE_NAME = re.compile(r"(?P<name>[^.]+)\.(?P<namespace>[^.]+)\.svc(\..*)?", re.IGNORECASE)


@check(
    station=Station.DEFINITION,
    severity=Severity.WARNING,
    needs=(Input.SERVICES,),
    references=("https://kubernetes.io/docs/concepts/services-networking/service/#externalname",),
)
def external_name_misuse(view: ServiceView) -> Iterator[Problem]:
    """
    A Service of type ExternalName is used for what a DNS alias cannot do.

    ## Why it matters
    ExternalName is answered by DNS alone, with an alias (CNAME). An IP address there is taken for a name and
    resolves to nothing; ports are not translated; an alias for a Service that does not exist leads nowhere.

    ## How to put it right
    For an address, make a Service without selector and an EndpointSlice that holds it. For another port, let
    clients use the port of the target.

    ## Where it is silent
    On ports that are not to be translated, which are only documentation.
    """
    service = view.service
    if service.spec.type != "ExternalName":
        return
    name = (service.spec.external_name or "").rstrip(".")
    named = Evidence(service.ref.at("spec", "externalName"), _("the alias"))
    if family_of(canonical_ip(name)) is not None:
        yield Problem(
            message=_(
                "externalName {name} is an IP address: DNS takes it for a name, which does "
                "not resolve",
                name=name,
            ),
            evidence=(named,),
            remedy=_(
                "Make it a Service without selector, and an EndpointSlice with this address: "
                "https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors"
            ),
            severity=Severity.ERROR,
        )
        return
    yield from _alias_of_service(view, name, named)
    mapped = [
        (index, p)
        for index, p in enumerate(service.ports)
        if p.target_port is not None and p.target_port not in {p.port, str(p.port), p.name}
    ]
    if mapped:
        told = listed(
            [
                _("{port} to {target_port}", port=p.port, target_port=p.target_port)
                for _index, p in mapped
            ]
        )
        yield Problem(
            message=_(
                "ExternalName Service {service} is to translate port {told}, which an alias "
                "does not do",
                service=service.full_name,
                told=told,
            ),
            evidence=(Evidence(service.target_port_ref(mapped[0][0]), _("ignored")), named),
            remedy=_("Let clients connect to {name} on the port that it has: ", name=name)
            + edit(service.namespace, "service", service.name),
        )


def _alias_of_service(view: ServiceView, name: str, named: Evidence) -> Iterator[Problem]:
    found = _SERVICE_NAME.fullmatch(name)
    if found is None:
        return
    key = ServiceKey(found["namespace"].lower(), found["name"].lower())
    service = view.service
    if key == view.key:
        told = _("ExternalName Service {key} is an alias for itself", key=key)
    elif key not in view.cluster.services:
        told = _(
            "ExternalName Service {view} is an alias for Service {key}, which does not exist",
            view=view.key,
            key=key,
        )
    else:
        return
    yield Problem(
        message=told,
        evidence=(named,),
        remedy=_("Name a Service that exists: ") + edit(service.namespace, "service", service.name),
    )

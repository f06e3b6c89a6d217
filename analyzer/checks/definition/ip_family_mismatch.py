"""The check `ip-family-mismatch`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.commands import edit
from analyzer.expect.endpoints import service_families
from analyzer.language import _, plural
from analyzer.model.address import family_of
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Pod
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import ServiceView


@check(
    station=Station.DEFINITION,
    severity=Severity.WARNING,
    needs=(Input.SERVICES, Input.PODS),
    references=("https://kubernetes.io/docs/concepts/services-networking/dual-stack/",),
)
def ip_family_mismatch(view: ServiceView) -> Iterator[Outcome]:
    """
    The Service has an IP version that its pods do not have.

    ## Why it matters
    Endpoints are of one IP version each. Where no pod has an address of the version of a cluster IP, that
    cluster IP has no endpoints: clients that prefer it are refused, although the other one works.

    ## How to put it right
    Give pods and nodes both IP versions (dual-stack), or let the Service ask only for the one that they have:
    `ipFamilyPolicy: SingleStack` with `ipFamilies` of that version.

    ## Where it is silent
    On headless Services with `PreferDualStack`, which take what there is.
    """
    service = view.service
    if service.spec.type == "ExternalName":
        return
    if service.headless and service.spec.ip_family_policy == "PreferDualStack":
        return
    families = _declared_families(view)
    if families and all(f in map(family_of, p.ips) for p in view.current_pods for f in families):
        return
    addresses = ((p, p.ips) for p in view.current_pods)
    has = [(p, {family_of(ip) for ip in ips}) for p, ips in addresses if ips]
    known = [(p, found) for p, found in has if found != {None}]
    if not has:
        return
    if not known:
        yield Undecided(
            reason=_("the addresses of the pods of {view} are redacted", view=view.key),
            missing=(Input.PODS.path(),),
            command=Input.PODS.command(),
        )
        return
    lacking = {f: [p for p, found in known if f not in found] for f in families}
    for family, without in lacking.items():
        if without:
            only = all(len(pods) == len(known) for pods in lacking.values())
            yield _problem(view, family, len(known), without, broken=only)


def _declared_families(view: ServiceView) -> tuple[Family, ...]:
    """Return the IP versions that the Service names; nothing where it leaves them open."""
    if view.service.spec.ip_families or view.service.cluster_ips:
        return service_families(view.service)
    return ()


def _problem(
    view: ServiceView,
    family: Family,
    count: int,
    without: Sequence[Pod],
    *,
    broken: bool,
) -> Problem:
    service = view.service
    some = len(without) < count
    pods = plural("{count:,} pod", "{count:,} pods", count)
    who = (
        _("{count} of {pods}", count=len(without), pods=pods)
        if some
        else _("none of its {pods}", pods=pods)
    )
    lack = _("no address of that version") if some else _("an address of that version")
    has = plural("has", "have", len(without)) if some else _("has")
    return Problem(
        message=_(
            "{service} is published for {family}, but {who} {has} {lack}",
            service=service.full_name,
            family=family.value,
            who=who,
            has=has,
            lack=lack,
        ),
        evidence=(
            Evidence(_family_ref(view, family), _("asks for {family}", family=family.value)),
            Evidence(
                _addresses_ref(without[0]), _("addresses of pod {without}", without=without[0].name)
            ),
        ),
        remedy=_(
            "Ask only for the IP version that the pods have (ipFamilyPolicy, "
            "ipFamilies), or give the pods both: {command}",
            command=edit(service.namespace, "service", service.name),
        ),
        severity=Severity.ERROR if broken else None,
    )


def _family_ref(view: ServiceView, family: Family) -> ObjectRef:
    spec = view.service.spec
    for field, values in (("ipFamilies", spec.ip_families), ("clusterIPs", spec.cluster_ips)):
        for index, value in enumerate(values or ()):
            if value == family.value or family_of(value) is family:
                return view.service.ref.at("spec", field, index)
    return view.service.ref.at("spec", "clusterIP")


def _addresses_ref(pod: Pod) -> ObjectRef:
    return pod.ref.at("status", *(("podIPs", 0, "ip") if pod.status.pod_ips else ("podIP",)))

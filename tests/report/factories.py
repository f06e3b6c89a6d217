"""Reports made by hand: real checks, real evidence, no bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analyzer.check import Check, check
from analyzer.findings import (
    CheckTally,
    Finding,
    NodeReport,
    NotEvaluated,
    Quote,
    Report,
    ServiceReport,
    StationResult,
)
from analyzer.model.bundle import BundleIdentity
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import KubeProxy, Minor, ProxyMode, ProxyOptions, Sign, VersionRange
from analyzer.model.kubernetes import Metadata, Service, ServicePort, ServiceSpec
from analyzer.model.ruleset import Backend
from analyzer.model.severity import Severity
from analyzer.model.source import Ref, SourceRef
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.problems import Evidence, Outcome, Problem


@check(
    station=Station.ENDPOINTS,
    severity=Severity.ERROR,
    needs=(Input.PODS,),
    references=("https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/",),
)
def selector_matches_no_pods(service: ServiceView) -> Iterator[Outcome]:  # noqa: ARG001, F821 - only its name counts
    """
    A Service's selector matches no pod.

    ## Why it matters
    The Service has no endpoints: kube-proxy rejects every connection to it.
    Clients see `connection refused`.

    ## How to put it right
    Compare the labels:

        kubectl get pods --show-labels

    - correct the selector of the Service, or
    - correct the labels in the pod template
      of its Deployment.
    """
    yield from ()


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET,),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/",
        "javascript:alert(1)",
    ),
)
def rules_hook_missing(node: NodeView) -> Iterator[Outcome]:  # noqa: ARG001, F821
    """
    No built-in chain of a node jumps to kube-proxy's rules.

    ## Why it matters
    Packets never reach KUBE-SERVICES, so that no Service works from there.
    """
    yield from ()


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.ENDPOINT_SLICES),
    consequence_of=("rules-hook-missing",),
)
def rules_service_missing(node: NodeView) -> Iterator[Outcome]:  # noqa: ARG001, F821
    """An address that should be served is not."""
    yield from ()


@check(station=Station.HAIRPIN, severity=Severity.WARNING, needs=(Input.HAIRPIN,))
def hairpin_disabled(node: NodeView) -> Iterator[Outcome]:  # noqa: ARG001, F821
    """A pod cannot reach itself through its own Service."""
    yield from ()


@check(station=Station.DEFINITION, severity=Severity.INFO)
def not_ready_addresses_published(service: ServiceView) -> Iterator[Outcome]:  # noqa: ARG001, F821
    """Pods get traffic before they are ready, because the Service says so."""
    yield from ()


CHECKS = (
    not_ready_addresses_published,
    selector_matches_no_pods,
    rules_hook_missing,
    rules_service_missing,
    hairpin_disabled,
)


def service(
    namespace: str,
    name: str,
    *ports: ServicePort,
    address: str = "10.96.0.10",
    kind: str = "ClusterIP",
) -> Service:
    """A Service with a cluster IP."""
    return Service(
        metadata=Metadata(name=name, namespace=namespace),
        spec=ServiceSpec(
            type=kind, cluster_ip=address, ports=ports or (ServicePort(port=80, name="http"),)
        ),
    )


def diagnosed(
    of: Service, verdict: Verdict, cause: str | None = None, **stations: StationResult | Status
) -> ServiceReport:
    """A Service's diagnosis; a station that is not given (with `_` for `-`) passes."""
    results = []
    for station in Station:
        if station is Station.BUNDLE:
            continue
        result = stations.get(station.value.replace("-", "_"), Status.PASS)
        results.append(StationResult(station, result) if isinstance(result, Status) else result)
    return ServiceReport(of, verdict, tuple(results), cause)


def node(name: str, *, exact: str | None = "1.30.5", rules: int = 142) -> NodeReport:
    """A node with kube-proxy in iptables mode."""
    sign = Sign("1.24 or later", "KUBE-EXT chains", SourceRef(f"nodes/{name}/iptables-save.txt", 9))
    version = VersionRange(earliest=Minor(1, 24), exact=exact, signs=(sign,))
    proxy = KubeProxy(ProxyMode.IPTABLES, None, version, ProxyOptions())
    return NodeReport(name, proxy, Backend.NFT, rules)


@dataclass
class Findings:
    """Collects findings with their quotes, numbered as the diagnosis does."""

    found: list[Finding] = field(default_factory=list)
    quotes: dict[Ref, Quote] = field(default_factory=dict)

    def add(
        self,
        of: Check,
        message: str,
        *quotes: tuple[Quote, str],
        caused_by: str | None = None,
        **fields: Any,
    ) -> str:
        """Add a finding with its evidence (quote and note each); its id."""
        quotes = quotes or ((Quote("cluster/services.json", 1, "{"), ""),)
        evidence = []
        for quote, note in quotes:
            ref = SourceRef(quote.path, quote.line)
            self.quotes[ref] = quote
            evidence.append(Evidence(ref, note))
        problem = Problem(
            message=message, evidence=tuple(evidence), **{"remedy": "Look at it.", **fields}
        )
        number = f"f{len(self.found) + 1}"
        self.found.append(
            Finding(
                id=number,
                check=of,
                severity=problem.severity or of.severity,
                problem=problem,
                caused_by=caused_by,
            )
        )
        return number


def report(
    findings: Findings | None = None,
    services: tuple[ServiceReport, ...] = (),
    nodes: tuple[NodeReport, ...] = (),
    not_evaluated: tuple[NotEvaluated, ...] = (),
    identity: BundleIdentity | None = None,
) -> Report:
    """A report of these parts."""
    findings = findings or Findings()
    return Report(
        identity=identity
        or BundleIdentity(
            path="svcbundle-lab-20261123T025133Z.tgz",
            cluster="lab",
            created_at=datetime(2026, 11, 23, 2, 51, 33, tzinfo=UTC),
            redacted=False,
            verified=True,
        ),
        kubernetes="v1.30.5",
        nodes=nodes,
        services=services,
        findings=tuple(findings.found),
        not_evaluated=not_evaluated,
        tallies=tuple(
            CheckTally(
                of,
                passed=3,
                findings=sum(f.check is of for f in findings.found),
                not_evaluated=sum(i.check is of for i in not_evaluated),
            )
            for of in CHECKS
        ),
        quotes=findings.quotes,
    )


def gap(of: Check, node: str, wanted: Input) -> NotEvaluated:
    """A check that could not run on a node for lack of a file."""
    return NotEvaluated(
        check=of,
        subject=node,
        reason=f"{wanted.path(node)} is not in the bundle",
        missing=(wanted.path(node),),
        command=wanted.command(node),
        node=node,
    )

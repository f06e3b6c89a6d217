"""Where connections to Services end: every Service port followed through the rulesets, from each node.

What is expected to be forwarded is tried from a pod and from the node itself (cluster IPs) and from outside
(node ports, external and load-balancer IPs). A connection that does not reach one of the Service's endpoints is
a *loss* at the host whose rule, policy or setting decided it, which may be another one than it started from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from analyzer.model.address import family_of
from analyzer.model.forwarding import (
    Action,
    Clients,
    Endpoint,
    Entry,
    FrontendKind,
    ServicePortName,
)
from analyzer.model.ruleset import Rule
from analyzer.simulate.branch import Step
from analyzer.simulate.outcome import Cause, Outcome, Trace, Verdict
from analyzer.simulate.trace import FromHost, FromOutside, FromPod, Origin, Query, Simulator

_OUTSIDE = {4: "198.18.0.1", 6: "2001:2::1"}
"""A client outside: ranges for benchmarks (RFC 2544, RFC 5180), which no cluster uses."""

MOST_WALKS = 6_000
"""Connections that are followed in one analysis; the others are told as not evaluated."""


@dataclass(frozen=True, slots=True)
class Site:
    """A node from which connections start."""

    name: str
    pods: tuple[tuple[str, tuple[str, ...]], ...]
    """Running pods with a network of their own: `namespace/name` and addresses."""

    addresses: tuple[str, ...]
    """The node's own addresses, at which node ports answer."""

    entries: tuple[Entry, ...]
    """What kube-proxy should serve there."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A share of connections to a Service port that does not reach its endpoints."""

    service_port: ServicePortName
    origin: str
    """Who connected, such as `a pod on node-a`."""

    destination: str
    """Such as `10.96.0.10:53/UDP`."""

    verdict: Verdict
    cause: Cause | None
    step: Step
    """What decided it."""

    probability: Fraction
    captured_by: Step | None = None
    """The rule of another program that translated the connection first."""


@dataclass(frozen=True, slots=True)
class Reachability:
    """What came of all connections."""

    losses: Mapping[str, tuple[Loss, ...]]
    """By the host that decided."""

    inconclusive: Mapping[str, str]
    """Why nothing can be said of any connection, by the node that it started from."""

    left_out: int
    """Number of connections that were not followed because there were too many."""


def follow(simulator: Simulator, sites: Sequence[Site]) -> Reachability:
    """Follow one connection for each expected entry of each site and kind of client."""
    losses: dict[str, list[Loss]] = defaultdict(list)
    reasons: dict[str, str] = {}
    followed = left_out = 0
    for site in sites:
        conclusive = tried = 0
        for entry, query, told in _attempts(site):
            if followed >= MOST_WALKS:
                left_out += 1
                continue
            followed += 1
            tried += 1
            trace = simulator.trace(query)
            conclusive += trace.conclusive
            if not trace.conclusive:
                reasons.setdefault(site.name, trace.reason)
                continue
            for host, loss in _losses(entry, query, told, trace):
                losses[host].append(loss)
        if conclusive or not tried:
            reasons.pop(site.name, None)
    return Reachability({h: tuple(found) for h, found in losses.items()}, reasons, left_out)


def _attempts(site: Site) -> Iterator[tuple[Entry, Query, str]]:
    for entry in site.entries:
        if entry.action is not Action.FORWARD or entry.alternatives or not entry.targets:
            continue
        for address in _addresses(site, entry):
            for origin, told in _origins(site, entry, address):
                frontend = entry.frontend
                protocol = frontend.protocol.value.lower()
                yield entry, Query(origin, address, frontend.port, protocol), told


def _addresses(site: Site, entry: Entry) -> Iterator[str]:
    if entry.frontend.kind is not FrontendKind.NODE_PORT:
        yield entry.frontend.address
        return
    families = {family_of(e.address) for e in entry.endpoints}
    yield from [a for a in site.addresses if family_of(a) in families][:1]


def _origins(site: Site, entry: Entry, address: str) -> Iterator[tuple[Origin, str]]:
    if entry.frontend.kind is not FrontendKind.CLUSTER_IP:
        if entry.clients is not Clients.INTERNAL and entry.source_ranges is None:
            version = 6 if ":" in address else 4
            yield FromOutside(_OUTSIDE[version], site.name), f"from outside, through {site.name}"
        return
    own = {e.address for e in entry.endpoints}
    family = family_of(address)
    for name, addresses in site.pods:
        if not own & set(addresses) and any(family_of(a) is family for a in addresses):
            yield FromPod(name), f"from pod {name} on {site.name}"
            break
    yield FromHost(site.name), f"from {site.name} itself"


def _losses(entry: Entry, query: Query, told: str, trace: Trace) -> Iterator[tuple[str, Loss]]:
    name = entry.service_port
    if name is None:
        return
    for outcome in trace.outcomes:
        captor = _captor(outcome, entry.allowed_endpoints)
        step = captor or _decisive(outcome)
        if step is None or (captor is None and not _lost(outcome)):
            continue
        yield (
            step.host,
            Loss(
                service_port=name,
                origin=told,
                destination=f"{query.address}:{query.port}/{query.protocol.upper()}",
                verdict=outcome.verdict,
                cause=outcome.cause,
                step=step,
                probability=outcome.probability,
                captured_by=captor,
            ),
        )


def _lost(outcome: Outcome) -> bool:
    return outcome.verdict not in {Verdict.DELIVERED, Verdict.INCONCLUSIVE}


def _captor(outcome: Outcome, allowed: frozenset[Endpoint]) -> Step | None:
    """Return the rule of another program that translated the connection before kube-proxy's rules could."""
    first = next(iter(outcome.translations), None)
    if first is None or first.chain.startswith("KUBE-"):
        return None
    backend = outcome.backend
    if backend is not None and any(e.address == backend.address for e in allowed):
        return None
    is_destination = isinstance(first.subject, Rule) and first.subject.target in {
        "DNAT",
        "REDIRECT",
        "NETMAP",
    }
    return first if is_destination else None


def _decisive(outcome: Outcome) -> Step | None:
    """Return the step that ended it; for what leaves untranslated, the rule that let it pass."""
    if outcome.verdict is Verdict.EXTERNAL or outcome.cause in {
        None,
        Cause.NO_SUCH_ADDRESS,
        Cause.NO_ROUTE,
    }:
        passed = (
            s
            for s in outcome.path
            if isinstance(s.subject, Rule)
            and s.table == "nat"
            and s.subject.target in {"ACCEPT", "RETURN"}
            and not s.chain.startswith("KUBE-")
        )
        return next(passed, None)
    return outcome.decided_by

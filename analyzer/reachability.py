"""Where connections to Services end: every Service port followed through the rulesets, from each node.

What is expected to be forwarded is tried from a pod and from the node itself (cluster IPs) and from outside
(node ports, external and load-balancer IPs). A connection that does not reach one of the Service's endpoints is
a *loss* at the host whose rule, policy or setting decided it, which may be another one than it started from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest

from analyzer.language import _
from analyzer.model.address import family_of
from analyzer.model.forwarding import (
    Action,
    Clients,
    Endpoint,
    Entry,
    FrontendKind,
    ServicePortName,
)
from analyzer.model.ruleset import Rule, Ruleset
from analyzer.simulate.branch import Step
from analyzer.simulate.outcome import Cause, Outcome, Trace, Verdict
from analyzer.simulate.trace import FromHost, FromOutside, FromPod, Origin, Query, Simulator

_OUTSIDE = {4: "198.18.0.1", 6: "2001:2::1"}
"""A client outside: ranges for benchmarks (RFC 2544, RFC 5180), which no cluster uses."""

MOST_WALKS = 2_000
"""Connections that are followed in one analysis (2 ms each): those that a foreign rule names first, then in turn
from every node. The others are told as not evaluated."""

_BUILT_IN = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})


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

    rulesets: tuple[Ruleset, ...]

    @property
    def foreign_rules(self) -> Iterator[Rule]:
        """The rules outside of kube-proxy's and kubelet's chains, the jumps into these left out."""
        for ruleset in self.rulesets:
            for table in ruleset.tables.values():
                for chain in table.chains.values():
                    if not chain.name.startswith("KUBE-"):
                        yield from (
                            r for r in chain.rules if not (r.target or "").startswith("KUBE-")
                        )

    @property
    def untouched(self) -> bool:
        """True where nobody but kube-proxy and kubelet decides over packets: no foreign rule, no policy DROP."""
        policies = (
            chain.policy
            for ruleset in self.rulesets
            for table in ruleset.tables.values()
            for chain in table.chains.values()
            if chain.name in _BUILT_IN
        )
        return all(p in {None, "ACCEPT"} for p in policies) and not any(self.foreign_rules)


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
    """Follow one connection for each expected entry of each site and kind of client.

    Where no site has a foreign rule there is nothing that checks of kube-proxy's own rules would not show, and
    nothing is followed.
    """
    if all(site.untouched for site in sites):
        return Reachability({}, {}, 0)
    losses: dict[str, list[Loss]] = defaultdict(list)
    reasons: dict[str, str] = {}
    conclusive: set[str] = set()
    attempts = _in_turn([list(_attempts(site)) for site in sites])
    for attempt in attempts[:MOST_WALKS]:
        trace = simulator.trace(attempt.query)
        if not trace.conclusive:
            reasons.setdefault(attempt.site, trace.reason)
            continue
        conclusive.add(attempt.site)
        for host, loss in _losses(attempt, trace):
            losses[host].append(loss)
    return Reachability(
        {host: tuple(found) for host, found in losses.items()},
        {name: reason for name, reason in reasons.items() if name not in conclusive},
        max(0, len(attempts) - MOST_WALKS),
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One connection to try."""

    site: str
    entry: Entry
    query: Query
    told: str
    """Who connects."""

    named: bool
    """True where a foreign rule names the address or port."""


def _in_turn(attempts: Sequence[Sequence[_Attempt]]) -> list[_Attempt]:
    """Return the attempts of all sites in turn, those first that a foreign rule names."""
    mixed = [a for rank in zip_longest(*attempts) for a in rank if a is not None]
    return sorted(mixed, key=lambda a: not a.named)


def _attempts(site: Site) -> Iterator[_Attempt]:
    selectors = _Selectors.of(site.foreign_rules)
    for entry in site.entries:
        if entry.action is not Action.FORWARD or entry.alternatives or not entry.targets:
            continue
        named = selectors.name(entry)
        for address in _addresses(site, entry):
            for origin, told in _origins(site, entry, address):
                frontend = entry.frontend
                query = Query(origin, address, frontend.port, frontend.protocol.value.lower())
                yield _Attempt(site.name, entry, query, told, named)


@dataclass(frozen=True, slots=True)
class _Selectors:
    """The single addresses and ports that foreign rules test."""

    addresses: frozenset[str]
    ports: frozenset[str]

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> _Selectors:
        addresses: set[str] = set()
        ports: set[str] = set()
        for rule in rules:
            for flag in ("-s", "-d"):
                address, _, length = (rule.value(flag) or "").partition("/")
                if length in _SINGLE:
                    addresses.add(address)
            for flag in ("--dport", "--dports"):
                ports.update((rule.value(flag) or "").split(","))
        return cls(frozenset(addresses), frozenset(ports - {""}))

    def name(self, entry: Entry) -> bool:
        """Tell whether a rule tests the frontend or an endpoint of the entry."""
        if entry.frontend.address in self.addresses or str(entry.frontend.port) in self.ports:
            return True
        return any(
            e.address in self.addresses or str(e.port) in self.ports for e in entry.endpoints
        )


_SINGLE = frozenset({"32", "128", "255.255.255.255"})


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
            yield (
                FromOutside(_OUTSIDE[version], site.name),
                _("from outside, through {site}", site=site.name),
            )
        return
    own = {e.address for e in entry.endpoints}
    family = family_of(address)
    for name, addresses in site.pods:
        if not own & set(addresses) and any(family_of(a) is family for a in addresses):
            yield FromPod(name), _("from pod {name} on {site}", name=name, site=site.name)
            break
    yield FromHost(site.name), _("from {site} itself", site=site.name)


def _losses(attempt: _Attempt, trace: Trace) -> Iterator[tuple[str, Loss]]:
    entry, query = attempt.entry, attempt.query
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
                origin=attempt.told,
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

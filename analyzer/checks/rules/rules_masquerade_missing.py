"""The check `rules-masquerade-missing`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.comparison import Pair
from analyzer.connections import Attempt, attempts
from analyzer.expect.pod_ranges import (
    all_outside,
    first_node_inside,
    first_outside,
)
from analyzer.language import _
from analyzer.model.forwarding import (
    Endpoint,
    Entry,
    FrontendKind,
    Masquerade,
    ServiceKey,
    ServicePortName,
)
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import DetectLocal, ProxyMode
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.source import ObjectRef, Ref
from analyzer.model.station import Station
from analyzer.observe.marks import marks_of
from analyzer.observe.postrouting import masquerades
from analyzer.phrases import listed
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.simulate.outcome import Cause, Outcome, Verdict
from analyzer.simulate.query import FromHost, FromOutside, Query
from analyzer.snapshot import NodeView

_RANK = {Masquerade.NEVER: 0, Masquerade.OFF_CLUSTER: 1, Masquerade.ALWAYS: 2}


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "rules-hook-missing",
        "rules-destination-wrong",
        "rules-chain-empty",
        "rules-endpoint-stale",
        "rules-chain-name-mismatch",
        "kube-proxy-not-running",
        "kube-proxy-sync-failing",
    ),
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/",),
)
def rules_masquerade_missing(node: NodeView) -> Iterator[Problem]:
    """
    Connections that should be masqueraded are not: their answers do not come back the same way.

    ## Why it matters
    A client outside the pod network, or a pod that reaches itself through its Service, gets an answer from
    an address that it never asked, and drops it: the connection times out.
    With a clusterCIDR that lacks pods it is the other way round: they count as outside clients. One that
    holds the nodes' network as well lets outside clients there count as pods, which breaks Services with
    externalTrafficPolicy Local.

    ## How to put it right
    Restart kube-proxy on the node. Set clusterCIDR (or another detectLocalMode) so that it can tell pods
    from others.

    ## Where it is silent
    It is advice where connections that are followed as the kernel would are answered all the same.
    Where kube-proxy's configuration leaves open what should be masqueraded (without it, what detectLocalMode
    is), and about endpoints on other nodes, whose connections to themselves do not pass here. Where nodes
    have no podCIDR, pods may share the nodes' network by design.
    """
    if node.kube_proxy.mode is not ProxyMode.IPTABLES:
        return
    for family in Family:
        ruleset = node.ruleset(family)
        comparison = node.comparison(family)
        if ruleset is None or comparison is None or not ruleset.rules("nat", "KUBE-SERVICES"):
            continue
        broken = _broken_chains(node, ruleset)
        if broken is not None:
            yield _as_felt(node, broken)
            continue
        entries, pods = list(_of_entries(comparison.differing)), list(_of_hairpin(node, family))
        if entries or pods:
            felt = _felt(node)
            losing = entries + pods
            if felt is not None:
                losing = (entries if felt.clients else []) + (pods if felt.pods else [])
            yield gathered(
                _("{node} does not masquerade what it should", node=node.name),
                losing or entries + pods,
                remedy=_("Check clusterCIDR and detectLocalMode of kube-proxy, then restart it: ")
                + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                severity=None if losing else Severity.INFO,
            )
    if _speaks_for_configuration(node):
        wrong = _too_narrow(node) or _too_wide(node)
        if wrong is not None:
            yield wrong


@dataclass(frozen=True, slots=True)
class _Felt:
    """The Services whose clients get no answer for want of masquerading."""

    clients: frozenset[ServiceKey]
    """Clients on the node, or outside of the cluster."""

    pods: frozenset[ServiceKey]
    """Pods that connect to themselves."""


def _felt(node: NodeView) -> _Felt | None:
    """Follow connections that are to be masqueraded; None where the bundle lacks what that takes.

    What is lost of some is lost of all that are alike.
    """
    if not node.shows_connections:
        return None
    tried = list(attempts(node.site))
    here = {address for _name, addresses in node.site.pods for address in addresses}
    tried.sort(key=lambda a: all(e.address in here for e in a.entry.endpoints))
    outside = _by_port(a for a in tried if isinstance(a.query.origin, FromOutside))
    on_node = _by_port(a for a in tried if isinstance(a.query.origin, FromHost))
    clients = _losing(node, outside) | _losing(node, on_node)
    own = {c.service_port: c.query for c in node.local_connections if c.to_itself}
    return _Felt(clients, _losing(node, own))


def _by_port(tried: Iterable[Attempt]) -> dict[ServicePortName, Query]:
    ports = ((a.entry.service_port, a.query) for a in tried)
    return {name: query for name, query in ports if name is not None}


def _losing(node: NodeView, queries: Mapping[ServicePortName, Query]) -> frozenset[ServiceKey]:
    if not node.may_lose(queries.values(), _is_unanswered):
        return frozenset()
    return frozenset(name.service for name in queries)


def _is_unanswered(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.UNANSWERED or outcome.cause is Cause.MARTIAN


def _as_felt(node: NodeView, problem: Problem) -> Problem:
    """Name the Services that lose answers, or make it advice where none does."""
    felt = _felt(node)
    if felt is None:
        return problem
    affected = felt.clients | felt.pods
    if affected:
        return replace(problem, affects=affected)
    message = _(
        "what should be masqueraded on {node} is not; connections that were followed are answered "
        "all the same",
        node=node.name,
    )
    return replace(problem, message=message, severity=Severity.INFO, partial=False)


def _broken_chains(node: NodeView, ruleset: Ruleset) -> Problem | None:
    """Return a problem where the common chains mark or masquerade nothing."""
    marking = ruleset.chain("nat", "KUBE-MARK-MASQ")
    masquerading = ruleset.chain("nat", "KUBE-POSTROUTING")
    bit = marks_of(ruleset.tables["nat"]).masquerade
    if marking is not None and not any(r.target == "MARK" for r in marking.rules):
        place, told = ruleset.ref(marking), _("KUBE-MARK-MASQ marks no packet")
    elif masquerading is not None and masquerades(masquerading.rules, bit) is False:
        place, told = (
            ruleset.ref(masquerading),
            _("KUBE-POSTROUTING does not masquerade packets with mark {bit:#x}", bit=bit),
        )
    else:
        return None
    return Problem(
        message=_(
            "{told} on {node} ({family}): connections from outside the pod network, and "
            "of pods to themselves, lose their answers",
            told=told,
            node=node.name,
            family=ruleset.family.value,
        ),
        evidence=(Evidence(place, told),),
        remedy=_("Restart kube-proxy on {node}: ", node=node.name)
        + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        severity=Severity.ERROR,
        partial=True,
    )


def _of_entries(pairs: tuple[Pair, ...]) -> Iterator[Part]:
    for pair in pairs:
        wanted, found = pair.expected.masquerade, pair.observed.masquerade
        name = pair.expected.service_port
        if (
            name is not None
            and wanted is not None
            and found is not None
            and pair.tells_endpoints
            and pair.observed.endpoints & pair.expected.allowed_endpoints
            and _RANK[found] < _RANK[wanted]
        ):
            yield Part(
                service=name.service,
                text=_(
                    "{name} at {frontend}: {told} instead of {wanted}",
                    name=name,
                    frontend=pair.expected.frontend,
                    told=_told(found),
                    wanted=_told(wanted),
                ),
                evidence=(
                    Evidence(_unmarking(pair), _("no rule of this way marks for masquerading")),
                ),
            )


def _unmarking(pair: Pair) -> Ref:
    """Show the Service's chain, which marks what goes to the cluster IP, else the rule for the address."""
    entry = pair.observed
    if entry.frontend.kind is FrontendKind.CLUSTER_IP and entry.chain_source is not None:
        return entry.chain_source
    return entry.source


def _told(masquerade: Masquerade) -> str:
    return _("nobody") if masquerade is Masquerade.NEVER else _(masquerade.value)


def _of_hairpin(node: NodeView, family: Family) -> Iterator[Part]:
    seen: set[str] = set()
    table = node.observed(family)
    for entry in table.entries if table else ():
        for target in entry.targets:
            if target.chain in seen or target.hairpin_masquerade or target.endpoint is None:
                continue
            if _may_be_here(node, entry, target.endpoint):
                seen.add(target.chain)
                yield Part(
                    service=_service(entry),
                    text=_(
                        "{endpoint} of {service_port} cannot reach itself through the Service",
                        endpoint=target.endpoint,
                        service_port=entry.service_port,
                    ),
                    evidence=(
                        Evidence(
                            target.destination or target.source,
                            _(
                                "no rule of {chain} marks what comes from {address}",
                                chain=target.chain,
                                address=target.endpoint.address,
                            ),
                        ),
                    ),
                )


def _may_be_here(node: NodeView, entry: Entry, endpoint: Endpoint) -> bool:
    """Tell whether the endpoint is on this node, or may be: on others its connections to itself do not pass."""
    cluster, key = node.cluster, _service(entry)
    published = cluster.backends.get(key, ()) if key else ()
    places = {b.node for b in published if b.endpoint.address == endpoint.address}
    pod = cluster.pod_by_ip.get(endpoint.address)
    if pod is not None:
        places.add(pod.spec.node_name)
    places.discard("")
    return not places or node.name in places


def _service(entry: Entry) -> ServiceKey | None:
    return entry.service_port.service if entry.service_port else None


def _speaks_for_configuration(node: NodeView) -> bool:
    """Tell whether the node is the first of those that have its clusterCIDR, and goes by it."""
    options = node.kube_proxy.options
    by_range = options.detect_local is DetectLocal.CLUSTER_CIDR and options.source is not None
    return by_range and _alike(node)[0] == node.name


def _alike(node: NodeView) -> list[str]:
    cidrs = node.kube_proxy.options.cluster_cidrs
    nodes = node.cluster.nodes.values()
    return [n.name for n in nodes if n.configured_cluster_cidrs == cidrs]


def _too_narrow(node: NodeView) -> Problem | None:
    """Return a problem where the configured clusterCIDR lacks pods of any node."""
    for other in node.cluster.nodes.values():
        outside = all_outside(other.pod_ranges, node.kube_proxy.options.cluster_cidrs)
        if outside is not None:
            return _wrong_cidr(
                node,
                _(
                    "does not hold the pods of {other} ({cidr}): they count as outside clients",
                    other=other.name,
                    cidr=outside.cidr,
                ),
                Evidence(outside.source, _("pods of {other}", other=other.name)),
            )
    return None


def _too_wide(node: NodeView) -> Problem | None:
    """Return a problem where it holds the nodes as well: clients in their network then count as pods."""
    cluster = node.cluster
    nodes = [(n, n.api_object) for n in cluster.nodes.values() if n.api_object is not None]
    inside = first_node_inside((api for _node, api in nodes), node.kube_proxy.options.cluster_cidrs)
    local = [
        service
        for service in cluster.services.values()
        if service.spec.external_traffic_policy == "Local" and not service.headless
    ]
    if inside is None or not local:
        return None
    if any(first_outside(n.pod_ranges, api.pod_cidrs) for n, api in nodes):
        return None
    names = listed(tuple(s.full_name for s in local))
    return _wrong_cidr(
        node,
        _(
            "also holds the nodes ({cidr}): outside clients in their network count as "
            "pods, are sent to endpoints on any node in spite of externalTrafficPolicy "
            "Local, and get no answer from another node's: {names}",
            cidr=inside.cidr,
            names=names,
        ),
        Evidence(inside.source, _("{cidr} is a node, not a pod", cidr=inside.cidr)),
        frozenset(s.key for s in local),
    )


def _wrong_cidr(
    node: NodeView, told: str, proof: Evidence, affects: frozenset[ServiceKey] = frozenset()
) -> Problem | None:
    options = node.kube_proxy.options
    if options.source is None:
        return None
    configured = ", ".join(options.cluster_cidrs)
    return Problem(
        message=_(
            "clusterCIDR of kube-proxy on {names} ({configured}) {told}",
            names=listed(_alike(node)),
            configured=configured,
            told=told,
        ),
        evidence=(
            Evidence(
                _setting(options.source), _("clusterCIDR {configured}", configured=configured)
            ),
            proof,
        ),
        remedy=_(
            "Set clusterCIDR in kube-proxy's configuration to the range of all pods and restart it."
        ),
        affects=affects,
    )


def _setting(source: Ref) -> Ref:
    return source.at("clusterCIDR") if isinstance(source, ObjectRef) else source

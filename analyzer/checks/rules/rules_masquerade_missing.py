"""The check `rules-masquerade-missing`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.commands import restart_kube_proxy
from analyzer.comparison import Pair
from analyzer.expect.pod_ranges import first_outside, ranges_of_pods
from analyzer.findings import Evidence, Part, Problem, Severity, Station, check, gathered
from analyzer.model.forwarding import Endpoint, Entry, Masquerade, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import DetectLocal, ProxyMode
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.source import ObjectRef, Ref
from analyzer.observe.marks import marks_of
from analyzer.observe.postrouting import masquerades
from analyzer.phrases import listed
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
    With a clusterCIDR that lacks pods it is the other way round: they count as outside clients.

    ## How to put it right
    Restart kube-proxy on the node. Set clusterCIDR (or another detectLocalMode) so that it can tell pods
    from others.

    ## Where it is silent
    Where kube-proxy's configuration leaves open what should be masqueraded (without it, what detectLocalMode
    is), and about endpoints on other nodes, whose connections to themselves do not pass here.
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
            yield broken
            continue
        parts = list(_of_entries(comparison.pairs)) + list(_of_hairpin(node, family))
        if parts:
            yield gathered(
                f"{node.name} does not masquerade what it should",
                parts,
                remedy="Check clusterCIDR and detectLocalMode of kube-proxy, then restart it: "
                + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
            )
    wrong = _cluster_cidr(node)
    if wrong is not None:
        yield wrong


def _broken_chains(node: NodeView, ruleset: Ruleset) -> Problem | None:
    """Return a problem where the common chains mark or masquerade nothing."""
    marking = ruleset.chain("nat", "KUBE-MARK-MASQ")
    masquerading = ruleset.chain("nat", "KUBE-POSTROUTING")
    bit = marks_of(ruleset.tables["nat"]).masquerade
    if marking is not None and not any(r.target == "MARK" for r in marking.rules):
        place, told = ruleset.ref(marking), "KUBE-MARK-MASQ marks no packet"
    elif masquerading is not None and masquerades(masquerading.rules, bit) is False:
        place, told = (
            ruleset.ref(masquerading),
            f"KUBE-POSTROUTING does not masquerade packets with mark {bit:#x}",
        )
    else:
        return None
    return Problem(
        message=f"{told} on {node.name} ({ruleset.family.value}): connections from outside the pod network, and of "
        "pods to themselves, lose their answers",
        evidence=(Evidence(place, told),),
        remedy=f"Restart kube-proxy on {node.name}: "
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
                text=f"{name} at {pair.expected.frontend}: {_told(found)} instead of {_told(wanted)}",
                evidence=(
                    Evidence(
                        pair.observed.chain_source or pair.observed.source,
                        f"no rule marks connections to {pair.expected.frontend} for masquerading",
                    ),
                ),
            )


def _told(masquerade: Masquerade) -> str:
    return "nobody" if masquerade is Masquerade.NEVER else masquerade.value


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
                    text=f"{target.endpoint} of {entry.service_port} cannot reach itself through the Service",
                    evidence=(
                        Evidence(
                            target.destination or target.source,
                            f"no rule of {target.chain} marks what comes from {target.endpoint.address}",
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


def _cluster_cidr(node: NodeView) -> Problem | None:
    """Return a problem where the configured clusterCIDR lacks pods of any node; told on the first node that has it."""
    options = node.kube_proxy.options
    if options.detect_local is not DetectLocal.CLUSTER_CIDR or options.source is None:
        return None
    alike = [
        n.name
        for n in node.cluster.nodes.values()
        if n.kube_proxy.options.cluster_cidrs == options.cluster_cidrs
    ]
    if alike[0] != node.name:
        return None
    for other in node.cluster.nodes.values():
        pods = node.cluster.pods_by_node.get(other.name, ())
        outside = first_outside(ranges_of_pods(other.api_object, pods), options.cluster_cidrs)
        if outside is not None:
            configured = ", ".join(options.cluster_cidrs)
            return Problem(
                message=f"clusterCIDR of kube-proxy on {listed(alike)} ({configured}) does not hold the pods of "
                f"{other.name} ({outside.cidr}): they count as outside clients",
                evidence=(
                    Evidence(_setting(options.source), f"clusterCIDR {configured}"),
                    Evidence(outside.source, f"pods of {other.name}"),
                ),
                remedy="Set clusterCIDR in kube-proxy's configuration to the range of all pods and restart it.",
            )
    return None


def _setting(source: Ref) -> Ref:
    return source.at("clusterCIDR") if isinstance(source, ObjectRef) else source

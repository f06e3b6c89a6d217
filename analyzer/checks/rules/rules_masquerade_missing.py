"""The check `rules-masquerade-missing`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.comparison import Pair
from analyzer.findings import Evidence, Part, Problem, Severity, Station, check, gathered
from analyzer.model.address import network_of
from analyzer.model.forwarding import Action, Entry, Masquerade, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import DetectLocal, ProxyMode
from analyzer.model.ruleset import Family, Ruleset
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

    ## How to put it right
    Restart kube-proxy on the node. Set clusterCIDR (or another detectLocalMode) so that it can tell pods
    from others.

    ## Where it is silent
    Where kube-proxy's configuration leaves open what should be masqueraded.
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
                remedy=f"Restart kube-proxy on {node.name}; check its clusterCIDR and detectLocalMode.",
            )
    yield from _cluster_cidr(node)


def _broken_chains(node: NodeView, ruleset: Ruleset) -> Problem | None:
    """Return a problem where the common chains mark or masquerade nothing."""
    for name, targets, told in (
        ("KUBE-MARK-MASQ", {"MARK"}, "marks no packet"),
        ("KUBE-POSTROUTING", {"MASQUERADE", "SNAT"}, "masquerades no packet"),
    ):
        chain = ruleset.chain("nat", name)
        if chain is not None and not any(r.target in targets for r in chain.rules):
            return Problem(
                message=f"{name} on {node.name} {told} ({ruleset.family.value}): connections from outside the pod "
                "network, and of pods to themselves, lose their answers",
                evidence=(
                    Evidence(ruleset.ref(chain), f"{name} without {' or '.join(sorted(targets))}"),
                ),
                remedy=f"Restart kube-proxy on {node.name}.",
                severity=Severity.ERROR,
                partial=True,
            )
    return None


def _of_entries(pairs: tuple[Pair, ...]) -> Iterator[Part]:
    for pair in pairs:
        wanted, found = pair.expected.masquerade, pair.observed.masquerade
        name = pair.expected.service_port
        if (
            name is not None
            and wanted is not None
            and found is not None
            and pair.observed.action is Action.FORWARD
            and pair.observed.targets
            and _RANK[found] < _RANK[wanted]
        ):
            yield Part(
                service=name.service,
                text=f"{name} at {pair.expected.frontend}: masqueraded for {found.value} instead of {wanted.value}",
                evidence=(
                    Evidence(
                        pair.observed.chain_source or pair.observed.source, "no rule marks it"
                    ),
                ),
            )


def _of_hairpin(node: NodeView, family: Family) -> Iterator[Part]:
    seen: set[str] = set()
    table = node.observed(family)
    for entry in table.entries if table else ():
        for target in entry.targets:
            if target.endpoint and not target.hairpin_masquerade and target.chain not in seen:
                seen.add(target.chain)
                yield Part(
                    service=_service(entry),
                    text=f"{target.endpoint} of {entry.service_port} cannot reach itself",
                    evidence=(
                        Evidence(
                            target.destination or target.source,
                            f"no rule of {target.chain} marks what comes from {target.endpoint.address}",
                        ),
                    ),
                )


def _service(entry: Entry) -> ServiceKey | None:
    return entry.service_port.service if entry.service_port else None


def _cluster_cidr(node: NodeView) -> Iterator[Problem]:
    """Compare the configured clusterCIDR with the ranges that the nodes' pods have."""
    options = node.kube_proxy.options
    if options.detect_local is not DetectLocal.CLUSTER_CIDR or options.source is None:
        return
    wide = [n for n in map(network_of, options.cluster_cidrs) if n is not None]
    for other in node.cluster.nodes.values():
        for cidr in other.api_object.pod_cidrs if other.api_object else ():
            network = network_of(cidr)
            same = [w for w in wide if network and w.version == network.version]
            if network is None or not same or other.api_object is None:
                continue
            if not any(network.network_address in w for w in same):
                yield Problem(
                    message=f"clusterCIDR of kube-proxy on {node.name} ({', '.join(options.cluster_cidrs)}) does not "
                    f"hold the pods of {other.name} ({cidr}): they count as outside clients",
                    evidence=(
                        Evidence(options.source, "clusterCIDR"),
                        Evidence(
                            other.api_object.ref.at("spec", "podCIDR"), f"pods of {other.name}"
                        ),
                    ),
                    remedy="Set clusterCIDR in kube-proxy's configuration to the range of all pods and restart it.",
                )
                return

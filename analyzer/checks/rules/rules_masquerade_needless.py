"""The check `rules-masquerade-needless`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.expect.pod_ranges import all_outside
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.ruleset import Family, Rule, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.conditions import host_of
from analyzer.observe.postrouting import masquerades
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET,),
    consequence_of=(
        "rules-masquerade-missing",
        "kube-proxy-not-running",
        "kube-proxy-backend-split",
    ),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/",
        "https://kubernetes.io/docs/tutorials/services/source-ip/",
    ),
)
def rules_masquerade_needless(node: NodeView) -> Iterator[Problem]:
    """
    Rules take pods for outside clients, or masquerade connections that nothing marked.

    ## Why it matters
    Backends see the node's address instead of their client's, and network policies judge by it. A pod that
    counts as an outside client is not served by a Service with externalTrafficPolicy Local on a node
    without endpoints.

    ## How to put it right
    Set clusterCIDR (or another detectLocalMode) of kube-proxy to what the pods really have, and restart it.

    ## Where it is silent
    Where no rule tells pods from others, about pods in the node's own network, and where the rules have the
    clusterCIDR of the configuration: that it is wrong is for rules-masquerade-missing to say.
    """
    if node.kube_proxy.mode is not ProxyMode.IPTABLES:
        return
    for family in Family:
        ruleset = node.ruleset(family)
        if ruleset is not None:
            yield from _unmarked(node, ruleset)
            yield from _wrong_range(node, ruleset)


def _unmarked(node: NodeView, ruleset: Ruleset) -> Iterator[Problem]:
    """Yield a problem where packets without the mark are masqueraded, too."""
    chain = ruleset.chain("nat", "KUBE-POSTROUTING")
    if chain is None or masquerades(chain.rules, 0) is not True:
        return
    yield Problem(
        message=_(
            "KUBE-POSTROUTING on {node} masquerades every connection, marked or not "
            "({family}): backends see the node instead of their clients, and network "
            "policies judge by it",
            node=node.name,
            family=ruleset.family.value,
        ),
        evidence=(Evidence(ruleset.ref(chain), _("no rule of it lets unmarked packets return")),),
        remedy=_("Restart kube-proxy on {node}: ", node=node.name)
        + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
    )


def _wrong_range(node: NodeView, ruleset: Ruleset) -> Iterator[Problem]:
    """Yield a problem where a rule that tells pods from others has another range than the node's pods."""
    for rule in _telling_pods_apart(ruleset):
        written = rule.value("-s") or ""
        outside = all_outside(node.pod_ranges, (written,))
        if outside is not None and written not in node.kube_proxy.options.cluster_cidrs:
            yield Problem(
                message=_(
                    "rules on {node} take {written} for the range of pods, which does not hold "
                    "{cidr}: such pods count as outside clients",
                    node=node.name,
                    written=written,
                    cidr=outside.cidr,
                ),
                evidence=(
                    Evidence(
                        ruleset.ref(rule),
                        _("takes {written} for the range of pods", written=written),
                    ),
                    Evidence(outside.source, _("pods of {node}", node=node.name)),
                ),
                remedy=_(
                    "Compare clusterCIDR in the configuration of kube-proxy on {node} with the "
                    "range of all pods. Where it is right, the rule was edited: restart "
                    "kube-proxy.",
                    node=node.name,
                ),
            )
            return


def _telling_pods_apart(ruleset: Ruleset) -> Iterable[Rule]:
    """Return kube-proxy's first rule about each range of pods; source ranges and endpoints stand in other chains."""
    found: dict[str, Rule] = {}
    nat = ruleset.tables.get("nat")
    for chain in nat.chains.values() if nat else ():
        if chain.name == "KUBE-SERVICES" or chain.name.startswith(_TELLING):
            for rule in chain.rules:
                written = rule.value("-s")
                if written and host_of(written) is None:
                    found.setdefault(written, rule)
    return found.values()


_TELLING = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-XLB-")

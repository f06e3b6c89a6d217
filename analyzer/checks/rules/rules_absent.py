"""The check `rules-absent`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Outcome, Problem, Severity, Station, Undecided, check
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.ruleset import Ruleset
from analyzer.model.source import SourceRef
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES),
    consequence_of=(
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
    ),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-writing-rules",
    ),
)
def rules_absent(node: NodeView) -> Iterator[Outcome]:
    """
    A node that should have kube-proxy's rules has none.

    ## Why it matters
    No Service answers from this node, nor for connections that enter the cluster through it.

    ## How to put it right
    If kube-proxy runs, restart it: it writes every rule anew. If the rules go away again, something
    flushes them: firewalld, `iptables -F`, a restart of Docker, another agent.

    ## Where it is silent
    In other modes than iptables (ipvs and nftables keep Services elsewhere), under a replacement for
    kube-proxy, and when the dump cannot be the node's: without any rule of its own and without a sign
    that kube-proxy should be there.
    """
    ruleset = node.ruleset()
    mode = node.kube_proxy.mode
    if ruleset is None or mode in _ELSEWHERE or _has_proxy_rules(ruleset):
        return
    if not any(service.cluster_ips for service in node.cluster.services.values()):
        return
    if mode is ProxyMode.UNKNOWN and not _expected_here(node):
        yield Undecided(
            reason=f"{ruleset.path} holds no rule of kube-proxy, and nothing shows that it should",
            missing=(Input.PROXY_MODE.path(node.name),),
            command=Input.PROXY_MODE.command(node.name),
        )
        return
    nat = ruleset.tables.get("nat")
    flushed = any(
        name.startswith("KUBE-PROXY-") or name == "KUBE-SERVICES"
        for table in ruleset.tables.values()
        for name in table.chains
    )
    yield Problem(
        message=f"{node.name} has no rule of kube-proxy"
        + (" in the nat table, but some in others: nat was flushed" if flushed else ""),
        evidence=(
            Evidence(
                SourceRef(ruleset.path, nat.line if nat else 1),
                "no KUBE-SERVICES chain in this dump" + ("'s nat table" if nat else ""),
            ),
        ),
        remedy=f"Restart kube-proxy on {node.name} and see whether KUBE-SERVICES appears: "
        "iptables-save -t nat | grep -c KUBE-SERVICES",
    )


_ELSEWHERE = frozenset(
    {
        ProxyMode.IPVS,
        ProxyMode.NFTABLES,
        ProxyMode.REPLACED,
        ProxyMode.WINDOWS,
        ProxyMode.USERSPACE,
    }
)


def _has_proxy_rules(ruleset: Ruleset) -> bool:
    """Tell by the nat table: what kube-proxy has in the filter table serves nobody."""
    return bool(
        ruleset.rules("nat", "KUBE-SERVICES") or ruleset.chain("nat", "KUBE-PORTALS-CONTAINER")
    )


def _expected_here(node: NodeView) -> bool:
    """Tell whether kube-proxy shows itself on the node, or in iptables mode on another one."""
    others = node.cluster.nodes.values()
    return bool(
        node.proxy_pods
        or node.proxy_processes
        or any(o.kube_proxy.mode is ProxyMode.IPTABLES for o in others if o is not node)
    )

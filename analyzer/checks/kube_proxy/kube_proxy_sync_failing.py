"""The check `kube-proxy-sync-failing`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.observe.proxy_log import Occurrences, ProxyLog, Topic
from analyzer.snapshot import NodeView

_TOPICS = (
    Topic.RESTORE_FAILED,
    Topic.CHAIN_FAILED,
    Topic.NFT_SYNC_FAILED,
    Topic.PROXIER_FATAL,
)


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.ERROR,
    needs=(Input.PROXY_LOG,),
    consequence_of=(
        "kube-proxy-lock-contention",
        "kube-proxy-iptables-skew",
        "kube-proxy-not-running",
    ),
    references=(
        "https://github.com/kubernetes/kubernetes/issues/96468",
        "https://github.com/kubernetes/kubernetes/issues/121362",
    ),
)
def kube_proxy_sync_failing(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy knows what to write, but the kernel or iptables refuses it.

    ## Why it matters
    iptables-restore applies a table whole or not at all: from the first failure on, no change of any
    Service reaches the node.

    ## How to put it right
    The inner message names it: a missing target (`KUBE-MARK-DROP`: kube-proxy 1.24 or earlier beside a
    kubelet 1.28 or later), a missing chain (restart kube-proxy), a missing table (load the kernel
    modules), another program's rule that the iptables version of kube-proxy's image cannot read.

    ## Where it is silent
    When syncs went well after the last failure. `SyncProxyRules complete` alone does not show that: it
    is logged after a failed sync too.
    """
    log = node.proxy_log_topics
    for topic in _TOPICS:
        found = log.current(topic)
        if found is not None:
            yield _problem(node, log, topic, found)
            return


def _problem(node: NodeView, log: ProxyLog, topic: Topic, found: Occurrences) -> Problem:
    reason = _reason(found.last.text)
    evidence = [Evidence(found.last.source, f"the last of {found.count} such lines")]
    if found.count > 1:
        evidence.append(Evidence(found.first.source, "the first one"))
    retry = log.last(Topic.SYNC_FAILED)
    if retry is not None and topic is not Topic.PROXIER_FATAL:
        evidence.append(Evidence(retry.source, "kube-proxy tries again and again"))
    told = "cannot start in its mode" if topic is Topic.PROXIER_FATAL else "cannot write its rules"
    return Problem(
        message=f"kube-proxy on {node.name} {told}: {reason}",
        evidence=tuple(evidence),
        remedy=_remedy(node, reason),
    )


_INNER = re.compile(
    r"(Couldn't load (?:target|match) [`'\"][^'\"]*'?[^\n]*|Chain '[^']*' does not exist"
    r"|line:? \d+[^\n]*failed[^\n]*|can't initialize ip6?tables table [^\n]*|can't use the IPVS proxier[^\n]*"
    r"|[Nn]o such file or directory[^\n]*|not supported for primary IP family[^\n]*|Error: [^\n]*"
    r"|exit status \d+[^\n]*)"
)


def _reason(text: str) -> str:
    found = _INNER.search(text)
    told = found[1] if found else text.split("err=", 1)[-1]
    return (told.strip().splitlines() or [""])[0][:200]


def _remedy(node: NodeView, reason: str) -> str:
    if "KUBE-MARK-DROP" in reason:
        return (
            "Bring kube-proxy and kubelet to the same version: kubelet 1.28 and later no longer makes the chain "
            "KUBE-MARK-DROP that kube-proxy 1.24 and earlier jumps to. Until then, on the node: "
            "`iptables -t nat -N KUBE-MARK-DROP && iptables -t nat -A KUBE-MARK-DROP -j MARK --or-mark 0x8000`."
        )
    if "does not exist" in reason or "Couldn't load target" in reason:
        return f"Restart kube-proxy on {node.name}: it then writes every chain anew."
    if "initialize" in reason:
        return (
            f"Load the missing kernel modules on {node.name} (`modprobe iptable_nat ip6table_nat`), or run "
            "kube-proxy in nftables mode where the kernel has no legacy iptables."
        )
    if "IPVS" in reason or "ipvs" in reason:
        return f"Load ip_vs and its schedulers on {node.name}, or set kube-proxy's mode to iptables or nftables."
    return f"Put right what the message names, then restart kube-proxy on {node.name}."

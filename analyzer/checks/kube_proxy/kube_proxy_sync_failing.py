"""The check `kube-proxy-sync-failing`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.proxy_log import Occurrences, Topic
from analyzer.observe.proxy_reason import place_of_reason, reason_in
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_FAILED_WRITES = (
    Topic.RESTORE_FAILED,
    Topic.CHAIN_FAILED,
    Topic.NFT_SYNC_FAILED,
    Topic.IPVS_STATE_FAILED,
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
    kube-proxy knows what to write, but the kernel or iptables refuses it; or it cannot start at all.

    ## Why it matters
    iptables-restore applies a table whole or not at all: from the first failure on, no change of any
    Service reaches the node.

    ## How to put it right
    The inner message names it: a missing target (`KUBE-MARK-DROP`: kube-proxy 1.24 or earlier beside a
    kubelet 1.28 or later), a missing chain (restart kube-proxy), a missing table (load the kernel
    modules), another program's rule that the iptables version of kube-proxy's image cannot read.

    ## Where it is silent
    When writes went well after the last failure. `SyncProxyRules complete` alone does not show that: it
    is logged after a failed write too. `Failed to list existing nftables objects` at a first start, and
    kube-proxy 1.23's `can't open port, skipping it` about its own sockets, are no failures of a write.
    """
    log = node.proxy_log_topics
    found = [(topic, known) for topic in _FAILED_WRITES if (known := log.current(topic))]
    if found:
        topic, last = max(found, key=lambda item: item[1].last.source)
        yield _cannot_write(node, topic, last)
        return
    start = log.current(Topic.START_FAILED)
    if start is not None and not log.about_api(start.last):
        yield _cannot_start(node, start)


def _cannot_write(node: NodeView, topic: Topic, found: Occurrences) -> Problem:
    reason = reason_in(found.last.text)
    evidence = [Evidence(place_of_reason(found.last), found.note)]
    if found.count > 1:
        evidence.append(Evidence(found.first.source, _("the first one")))
    retry = node.proxy_log_topics.last(Topic.SYNC_FAILED)
    if retry is not None and topic is not Topic.IPVS_STATE_FAILED:
        evidence.append(Evidence(retry.source, _("kube-proxy tries again and again")))
    return Problem(
        message=_(
            "kube-proxy on {node} cannot write its rules: {reason}", node=node.name, reason=reason
        ),
        evidence=tuple(evidence),
        remedy=_remedy(node, found.last.text),
    )


def _cannot_start(node: NodeView, found: Occurrences) -> Problem:
    return Problem(
        message=_(
            "kube-proxy on {node} cannot start: {reason_in}",
            node=node.name,
            reason_in=reason_in(found.last.text),
        ),
        evidence=(Evidence(place_of_reason(found.last), _("the last thing that it says")),),
        remedy=_remedy(node, found.last.text),
    )


def _remedy(node: NodeView, text: str) -> str:
    restart = restart_kube_proxy(node.proxy_pods, node.proxy_processes)
    if "KUBE-MARK-DROP" in text:
        return _(
            "Bring kube-proxy to the version of kubelet: kubelet 1.28 and later no "
            "longer makes the chain KUBE-MARK-DROP that kube-proxy 1.24 and earlier "
            "jumps to. Until then, on {node}:\niptables -t nat -N KUBE-MARK-DROP && "
            "iptables -t nat -A KUBE-MARK-DROP -j MARK --or-mark 0x8000",
            node=node.name,
        )
    if "initialize" in text:
        return _(
            "Load the missing kernel modules, or use nftables mode where the kernel has "
            "no iptables; on {node}:\nmodprobe -a ip_tables iptable_nat iptable_filter "
            "ip6_tables ip6table_nat",
            node=node.name,
        )
    if re.search(r"can't use the IPVS|ip_?set|kube-ipvs0", text, re.IGNORECASE):
        return _(
            "Load the kernel modules of ipvs mode on {node}, or set another mode:\n"
            "modprobe -a ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack ip_set\nthen "
            "restart kube-proxy: {restart}",
            node=node.name,
            restart=restart,
        )
    if "primary IP family" in text:
        return _(
            "See on {node} whether iptables works where kube-proxy runs; it needs "
            "/run/xtables.lock to be writable and the kernel's tables: iptables -w 5 -t "
            "nat -S",
            node=node.name,
        )
    if "nftables sync failed" in text:
        return _(
            "nftables mode needs Linux 5.13 or later with its nf_tables modules, and nft "
            "1.0.1 or later in kube-proxy's image; else set mode iptables. See what "
            "{node} has: nft list tables",
            node=node.name,
        )
    if "does not exist" in text or "Couldn't load target" in text:
        return _(
            "Restart kube-proxy, so that it writes every chain anew: {restart}", restart=restart
        )
    return _(
        "Put right what the message names, then restart kube-proxy: {restart}", restart=restart
    )

"""The check `kube-proxy-mode-mixed`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.kube_proxy import ProxyMode
from analyzer.observe.proxy_log import Topic
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-modes",
        "https://github.com/kubernetes/kubernetes/issues/60169",
    ),
)
def kube_proxy_mode_mixed(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy does not run in the mode it was given, or another mode's rules are still in force.

    ## Why it matters
    Until 1.25 kube-proxy fell back to iptables without failing when the ipvs modules were missing. And
    what an earlier mode left behind still takes packets, with endpoints that nobody updates.

    ## How to put it right
    Load the modules the mode needs (ip_vs, ip_vs_rr, nf_conntrack), or ask for the mode that runs. Clear
    an earlier mode's state with `kube-proxy --cleanup` on the node, or by a reboot.
    """
    fallback = node.proxy_log_topics.last(Topic.FALLBACK)
    mode = node.kube_proxy.mode
    if fallback is not None and mode is ProxyMode.IPTABLES:
        yield Problem(
            message=f"kube-proxy on {node.name} was to run in ipvs mode and fell back to iptables",
            evidence=(Evidence(fallback.source, "why it fell back"),),
            remedy="Load the kernel modules ip_vs, ip_vs_rr, ip_vs_wrr, ip_vs_sh and nf_conntrack and restart "
            "kube-proxy, or set its mode to iptables.",
        )
    for sign in node.other_mode_state:
        yield Problem(
            message=f"kube-proxy on {node.name} runs in {mode.value} mode, but {sign.claim}",
            evidence=(Evidence(sign.source, sign.reason),),
            remedy=f"On {node.name}, remove what the earlier mode left: run `kube-proxy --cleanup` once "
            "(its image has it), then restart kube-proxy; or reboot the node.",
        )

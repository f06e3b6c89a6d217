"""The check `kube-proxy-userspace-mode`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.INFO,
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-writing-rules",
    ),
    advisory=True,
)
def kube_proxy_userspace_mode(node: NodeView) -> Iterator[Outcome]:
    """
    kube-proxy runs in userspace mode, which 1.26 removed.

    ## Why it matters
    Every connection goes through the kube-proxy process: slow, and every Service stops with it. Its rules
    (KUBE-PORTALS-*) show where connections enter the process, not where it sends them.

    ## How to put it right
    Set `mode: iptables` (or nftables from 1.33) in kube-proxy's configuration, node by node.

    ## Where it is silent
    For KUBE-PORTALS chains that an earlier kube-proxy left and nothing jumps to.
    """
    proxy = node.kube_proxy
    if proxy.mode is ProxyMode.UNKNOWN:
        yield Undecided(
            reason=_("it is not known in which mode kube-proxy runs on {node}", node=node.name),
            missing=(Input.PROXY_MODE.path(node.name),),
            command=Input.PROXY_MODE.command(node.name),
        )
    if proxy.mode is ProxyMode.USERSPACE and proxy.mode_source is not None:
        yield Problem(
            message=_("kube-proxy on {node} runs in userspace mode", node=node.name),
            evidence=(Evidence(proxy.mode_source, _("sign of userspace mode")),),
            remedy=_(
                "Set mode: iptables in kube-proxy's configuration (or --proxy-mode=iptables) "
                "and restart it: "
            )
            + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        )

"""The check `kube-proxy-mode-mixed`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
from analyzer.model.station import Station
from analyzer.observe.evidence import CONFIGZ
from analyzer.observe.proxy_log import Topic
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    consequence_of=("kube-proxy-not-running",),
    references=(
        "https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-modes",
        "https://github.com/kubernetes/kubernetes/issues/60169",
    ),
)
def kube_proxy_mode_mixed(node: NodeView) -> Iterator[Outcome]:
    """
    kube-proxy does not run in the mode it was given, or another mode's rules are still in force.

    ## Why it matters
    Until 1.25 kube-proxy fell back to iptables without failing when the ipvs modules were missing. And
    what an earlier mode left behind still takes packets, with endpoints that nobody updates.

    ## How to put it right
    Load the modules the mode needs (ip_vs, ip_vs_rr, nf_conntrack), or ask for the mode that runs. Clear
    an earlier mode's state with `kube-proxy --cleanup` on the node, or by a reboot.

    ## Where it is silent
    For chains of an earlier mode or version that nothing jumps to any more.
    """
    mode = node.kube_proxy.mode
    lacking = Input.PROXY_MODE if mode is ProxyMode.UNKNOWN else Input.RULESET
    if mode is ProxyMode.UNKNOWN or not node.has(Input.RULESET):
        yield Undecided(
            reason=_("it is not known in which mode kube-proxy runs on {node}", node=node.name)
            if mode is ProxyMode.UNKNOWN
            else node.availability(Input.RULESET).reason,
            missing=(lacking.path(node.name),),
            command=lacking.command(node.name),
        )
    yield from _other_than_asked(node, mode)
    serving = (
        _("another program serves Services")
        if mode is ProxyMode.REPLACED
        else _("kube-proxy runs in {mode} mode", mode=mode.value)
    )
    for sign in node.other_mode_state:
        yield Problem(
            message=_(
                "on {node} {serving}, but {claim}",
                node=node.name,
                serving=serving,
                claim=sign.claim,
            ),
            evidence=(Evidence(sign.source, sign.reason),),
            remedy=_(
                "Remove what the earlier mode left on {node}: run kube-proxy --cleanup there "
                "once (its image has it), then restart what serves Services; or reboot the "
                "node.",
                node=node.name,
            ),
        )


def _other_than_asked(node: NodeView, mode: ProxyMode) -> Iterator[Problem]:
    """Tell of a fallback, by kube-proxy's own words or by its configuration."""
    fallback = node.proxy_log_topics.last(Topic.FALLBACK)
    asked, source = _asked(node)
    if fallback is not None and mode is ProxyMode.IPTABLES:
        asked, source = "ipvs", fallback.source
    known = mode not in {ProxyMode.UNKNOWN, ProxyMode.REPLACED} and node.kube_proxy.mode_source
    if source is None or not known or asked in {"", mode.value}:
        return
    evidence = [
        Evidence(
            source,
            _("why it fell back") if fallback else _("mode {asked} is asked for", asked=asked),
        )
    ]
    if node.kube_proxy.mode_source is not None:
        evidence.append(
            Evidence(node.kube_proxy.mode_source, _("it runs in {mode} mode", mode=mode.value))
        )
    yield Problem(
        message=_(
            "kube-proxy on {node} was to run in {asked} mode, but runs in {mode} mode",
            node=node.name,
            asked=asked,
            mode=mode.value,
        ),
        evidence=tuple(evidence),
        remedy=_remedy(node, asked, mode),
    )


def _asked(node: NodeView) -> tuple[str, Ref | None]:
    """Return the mode in the running configuration, else in the configuration file, with its place."""
    for source, path in ((Input.PROXY_CONFIGZ, (CONFIGZ,)), (Input.PROXY_CONFIG, ())):
        document = node.document(source)
        asked = document.find(*path, "mode") if document is not None else None
        if document is not None and isinstance(asked, str) and asked.strip():
            return asked.strip().lower(), document.ref.at(*path, "mode")
    return "", None


def _remedy(node: NodeView, asked: str, mode: ProxyMode) -> str:
    restart = restart_kube_proxy(node.proxy_pods, node.proxy_processes)
    if asked == ProxyMode.IPVS.value:
        return _(
            "Load the kernel modules of ipvs mode on {node}, or set the mode to {mode}:\n"
            "modprobe -a ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack\nthen restart "
            "kube-proxy: {restart}",
            node=node.name,
            mode=mode.value,
            restart=restart,
        )
    return _(
        "Restart kube-proxy, so that it takes its configuration, and read how it starts: {restart}",
        restart=restart,
    )

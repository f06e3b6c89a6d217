"""The check `kube-proxy-cannot-reach-api`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.proxy_log import Occurrences, Topic, details
from analyzer.phrases import shortened
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.ERROR,
    needs=(Input.PROXY_LOG,),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-running",
        "https://kubernetes.io/releases/version-skew-policy/#kube-proxy",
    ),
)
def kube_proxy_cannot_reach_api(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy gets no Services and endpoints from the API server.

    ## Why it matters
    It goes on with what it knew last, or, after a start, writes no rule at all.

    ## How to put it right
    From the node, connect to the address in the log line: a refused connection means a wrong port or a
    stopped API server, a time-out means a route or firewall, an unknown host means the node's DNS. The
    address comes from the kubeconfig that kube-proxy's configuration names. Where the API server answers
    that it could not find the resource, kube-proxy asks for a version of the API that is gone.

    ## Where it is silent
    When a list came after the last such error, and when the errors were not repeated: kube-proxy tries
    again within a minute.
    """
    log = node.proxy_log_topics
    found = log.current(Topic.API_UNREACHABLE)
    if found is not None:
        yield _unreachable(node, found)
    gone = log.current(Topic.API_VERSION_GONE)
    if gone is not None:
        yield _version_gone(node, gone)


def _unreachable(node: NodeView, found: Occurrences) -> Problem:
    reason = _reason(found.last.text)
    server = _SERVER.search(found.last.text)
    probe = (
        _(
            "\nOn {node}, see whether it answers: curl -k {server}/healthz",
            node=node.name,
            server=server[1],
        )
        if server
        else ""
    )
    return Problem(
        message=_(
            "kube-proxy on {node} cannot reach the API server: {reason}{effect}",
            node=node.name,
            reason=reason,
            effect=_effect(node),
        ),
        evidence=_evidence(node, found),
        remedy=_(
            "Put right the way to the API server, or its address in the kubeconfig of "
            "kube-proxy (clientConnection.kubeconfig in its configuration, or "
            "--kubeconfig).{probe}\nAfter a change of the configuration restart "
            "kube-proxy: ",
            probe=probe,
        )
        + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
    )


def _version_gone(node: NodeView, gone: Occurrences) -> Problem:
    kind = details(Topic.API_VERSION_GONE, gone.last).get("kind", "a resource")
    versions = _(
        " (kube-proxy {version}, API server {kubernetes})",
        version=node.kube_proxy.version,
        kubernetes=node.cluster.kubernetes,
    )
    known = node.kube_proxy.version.exact and node.cluster.kubernetes
    return Problem(
        message=_(
            "kube-proxy on {node} asks for {kind}, which the API server does not "
            "serve{versions}{effect}",
            node=node.name,
            kind=kind,
            versions=versions if known else "",
            effect=_effect(node),
        ),
        evidence=_evidence(node, gone),
        remedy=_(
            "Bring kube-proxy to a version that fits the API server: not newer than it, "
            "and not older by more than three minor versions "
            "(https://kubernetes.io/releases/version-skew-policy/)."
        ),
    )


def _effect(node: NodeView) -> str:
    """Return what follows for the rules, where the log shows whether any were written."""
    log = node.proxy_log_topics
    if log.last(Topic.SYNC_COMPLETE) is not None:
        return _("; its rules are no longer brought up to date")
    return _("; it writes no rules") if log.last(Topic.WAITING_FOR_API) is not None else ""


def _evidence(node: NodeView, found: Occurrences) -> tuple[Evidence, ...]:
    log = node.proxy_log_topics
    waiting = log.last(Topic.WAITING_FOR_API)
    lines = [Evidence(found.last.source, found.note)]
    if found.count > 1:
        lines.append(Evidence(found.first.source, _("the first one")))
    if waiting is not None and log.last(Topic.SYNC_COMPLETE) is None:
        lines.append(Evidence(waiting.source, _("no rule is written before the lists came")))
    return tuple(lines)


_SERVER = re.compile(r"(https?://[\w.:\[\]-]+)/")
_REASON = re.compile(r"(?:dial (?:tcp|udp)|lookup|net/http:|read tcp|http: server)[^\n]*")


def _reason(text: str) -> str:
    found = _REASON.search(text)
    told = found[0] if found else text.rpartition("err=")[2].rpartition('": ')[2]
    return shortened(
        re.split(r"\"? (?:logger|reflector|type|ipFamily|resyncPeriod)=", told)[0].strip('" ')
    )

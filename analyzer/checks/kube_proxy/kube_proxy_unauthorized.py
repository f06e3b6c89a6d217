"""The check `kube-proxy-unauthorized`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy, shell
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
        "https://kubernetes.io/docs/reference/access-authn-authz/rbac/#other-component-roles",
        "https://github.com/kubernetes/kubernetes/issues/77651",
    ),
)
def kube_proxy_unauthorized(node: NodeView) -> Iterator[Problem]:
    """
    The API server answers kube-proxy, but refuses it (401, 403) or is not trusted (x509).

    ## Why it matters
    kube-proxy gets no Services and endpoints: it goes on with what it knew last, or writes no rule.

    ## How to put it right
    403: the binding to ClusterRole system:node-proxier is missing; for User system:anonymous the request
    carried no credentials. 401: the token or client certificate is invalid or has expired. x509: the CA,
    the server's names or the node's clock are wrong.

    ## Where it is silent
    When a list came after the last refusal, and for what kube-proxy can do without, such as writing events.
    """
    log = node.proxy_log_topics
    for topic, describe in (
        (Topic.API_FORBIDDEN, _forbidden),
        (Topic.API_UNAUTHORIZED, _unauthorized),
        (Topic.API_CERTIFICATE, _untrusted),
    ):
        found = log.current(topic)
        if found is not None:
            yield describe(node, found)
            return


def _forbidden(node: NodeView, found: Occurrences) -> Problem:
    told = details(Topic.API_FORBIDDEN, found.last)
    user = told.get("user", "")
    resource = told.get("resource", "what it needs")
    by_user = _(" as {user}", user=user) if user else ""
    works = resource == "nodes" and node.proxy_log_topics.last(Topic.SYNC_COMPLETE) is not None
    return Problem(
        message=_(
            "kube-proxy on {node} may not read {resource}{by_user} (403)",
            node=node.name,
            resource=resource,
            by_user=by_user,
        ),
        evidence=_evidence(found),
        remedy=_grant(node, user),
        severity=Severity.WARNING if works else None,
    )


def _grant(node: NodeView, user: str) -> str:
    if user == "system:anonymous":
        return _(
            "The request carried no credentials: put a token or client certificate into "
            "the kubeconfig of kube-proxy, then restart it: {restart}",
            restart=_restart(node),
        )
    account = re.fullmatch(r"system:serviceaccount:([^:]+):([^:]+)", user)
    subject = (
        f"--serviceaccount={account[1]}:{account[2]}"
        if account
        else f"--user={user or 'system:kube-proxy'}"
    )
    return _("Bind its user to the role that kube-proxy needs: ") + shell(
        "kubectl",
        "create",
        "clusterrolebinding",
        "kube-proxy-node-proxier",
        "--clusterrole=system:node-proxier",
        subject,
    )


def _unauthorized(node: NodeView, found: Occurrences) -> Problem:
    return Problem(
        message=_("kube-proxy on {node} is not known to the API server (401)", node=node.name),
        evidence=_evidence(found),
        remedy=_(
            "Renew the token or client certificate in the kubeconfig of kube-proxy; a "
            "pod gets a new token when it is made anew: {restart}",
            restart=_restart(node),
        ),
    )


_X509 = re.compile(r"(?:x509: |tls: )[^\n]*")


def _untrusted(node: NodeView, found: Occurrences) -> Problem:
    reason = _X509.search(found.last.text)
    told = shortened(reason[0].strip('" ')) if reason else _("its certificate is refused")
    return Problem(
        message=_(
            "kube-proxy on {node} and the API server do not trust each other: {told}",
            node=node.name,
            told=told,
        ),
        evidence=_evidence(found),
        remedy=_(
            "Compare the CA in the kubeconfig of kube-proxy with the API server's, the "
            "names in its certificate with the address used, and the node's clock with "
            "its dates; then restart kube-proxy: "
        )
        + _restart(node),
    )


def _evidence(found: Occurrences) -> tuple[Evidence, ...]:
    return (Evidence(found.last.source, found.note),)


def _restart(node: NodeView) -> str:
    return restart_kube_proxy(node.proxy_pods, node.proxy_processes)

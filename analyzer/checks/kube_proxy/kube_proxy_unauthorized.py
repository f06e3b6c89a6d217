"""The check `kube-proxy-unauthorized`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.observe.proxy_log import Topic
from analyzer.snapshot import NodeView

_CASES = (
    (
        Topic.API_FORBIDDEN,
        "may not read what it needs (403)",
        (
            "Bind kube-proxy's user to ClusterRole system:node-proxier: kubectl create clusterrolebinding "
            "kube-proxy --clusterrole=system:node-proxier --serviceaccount=kube-system:kube-proxy "
            "(take the user from the log line)."
        ),
    ),
    (
        Topic.API_UNAUTHORIZED,
        "is not known to the API server (401)",
        (
            "Renew the credentials in its kubeconfig: a service account's token comes anew when the pod is "
            "deleted; a client certificate has to be issued again."
        ),
    ),
    (
        Topic.API_CERTIFICATE,
        "does not trust the API server's certificate, or the server not its own (x509)",
        (
            "Compare the CA in its kubeconfig with the API server's, the certificate's names with the "
            "address used, and the node's clock with the certificate's dates."
        ),
    ),
)


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.ERROR,
    needs=(Input.PROXY_LOG,),
    consequence_of=("kube-proxy-not-running",),
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
    403: the binding to ClusterRole system:node-proxier is missing. 401: the token or client certificate
    is invalid or has expired. x509: the CA, the server's names or the node's clock are wrong.
    """
    for topic, told, remedy in _CASES:
        found = node.proxy_log_topics.current(topic)
        if found is not None:
            yield Problem(
                message=f"kube-proxy on {node.name} {told}",
                evidence=(Evidence(found.last.source, f"the last of {found.count} such lines"),),
                remedy=remedy,
            )
            return

"""The check `kube-proxy-health-check-failed`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Service
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.proxy_log import Occurrences, Topic, details
from analyzer.phrases import shortened
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    consequence_of=("node-port-conflict",),
    references=(
        "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip",
    ),
)
def kube_proxy_health_check_failed(node: NodeView) -> Iterator[Problem]:
    """
    kube-proxy could not open a health check port.

    ## Why it matters
    A load balancer asks the `healthCheckNodePort` of a Service with externalTrafficPolicy Local whether
    the node has endpoints; without an answer it sends nothing there. Without the health server (port
    10256) it takes the whole node out.

    ## How to put it right
    Find what has the port (`ss -lntp`): a second kube-proxy, or a host process in the node port range.

    ## Where it is silent
    For a Service that no longer exists, or that has another health check port by now. `can't open port,
    skipping it` about a node port is another matter: kube-proxy 1.23 prints it about its own sockets.
    """
    log = node.proxy_log_topics
    failed = log.occurrences.get(Topic.HEALTH_CHECK_FAILED)
    if failed is not None:
        yield from _service_port(node, failed)
    server = log.current(Topic.HEALTH_SERVER_FAILED)
    if server is not None:
        yield Problem(
            message=_("kube-proxy on {node} cannot serve its health port: ", node=node.name)
            + shortened(server.last.values.get("err", server.last.message)),
            evidence=(Evidence(server.last.source, server.note),),
            remedy=_(
                "See on {node} what has the port, often a second kube-proxy, and stop it: ss "
                "-lntp 'sport = :10256'",
                node=node.name,
            ),
        )


def _service_port(node: NodeView, failed: Occurrences) -> Iterator[Problem]:
    entry = failed.last
    told = {**details(Topic.HEALTH_CHECK_FAILED, entry), **entry.values}
    name, port = told.get("service", ""), told.get("port", "")
    namespace, _slash, bare = name.partition("/")
    key = ServiceKey(namespace, bare) if bare else None
    service = node.cluster.services.get(key) if key else None
    if node.cluster.has(Input.SERVICES) and key and not _asks_for(service, port):
        return
    yield Problem(
        message=_("kube-proxy on {node} cannot open the health check port", node=node.name)
        + (f" {port}" if port else "")
        + (_(" of {name}", name=name) if name else "")
        + _(": load balancers take the node for one without endpoints"),
        evidence=(Evidence(entry.source, _("why it failed")),),
        remedy=_(
            "See on {node} what has the port and stop it, or give the Service another "
            "healthCheckNodePort: ",
            node=node.name,
        )
        + (f"ss -lntp 'sport = :{port}'" if port.isdigit() else "ss -lntp"),
        affects=frozenset({key} if key else ()),
    )


def _asks_for(service: Service | None, port: str) -> bool:
    return service is not None and str(service.spec.health_check_node_port or "") in {port, ""}

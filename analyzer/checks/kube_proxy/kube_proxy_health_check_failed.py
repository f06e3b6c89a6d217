"""The check `kube-proxy-health-check-failed`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.inputs import Input
from analyzer.observe.proxy_log import Topic
from analyzer.snapshot import NodeView


@check(
    station=Station.KUBE_PROXY,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
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
    """
    log = node.proxy_log_topics
    failed = log.occurrences.get(Topic.HEALTH_CHECK_FAILED)
    if failed is not None:
        entry = failed.last
        service = entry.values.get("service", "")
        yield Problem(
            message=f"kube-proxy on {node.name} cannot open the health check port"
            + (f" of {service}" if service else ""),
            evidence=(Evidence(entry.source, entry.values.get("err", "why it failed")),),
            remedy=f"On {node.name}: ss -lntp shows what has the port"
            + (f" {entry.values['port']}" if entry.values.get("port") else "")
            + "; stop it, or give the Service another healthCheckNodePort.",
        )
    server = log.current(Topic.HEALTH_SERVER_FAILED)
    if server is not None:
        yield Problem(
            message=f"kube-proxy on {node.name} cannot serve its health port",
            evidence=(Evidence(server.last.source, f"the last of {server.count} such lines"),),
            remedy=f"On {node.name}: ss -lntp | grep 10256 shows what has the port; often a second kube-proxy.",
        )

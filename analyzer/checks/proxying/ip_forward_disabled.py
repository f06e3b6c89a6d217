"""The check `ip-forward-disabled`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.SYSCTLS,),
    references=(
        "https://kubernetes.io/docs/setup/production-environment/container-runtimes/#prerequisite-ipv4-forwarding-optional",
    ),
)
def ip_forward_disabled(node: NodeView) -> Iterator[Outcome]:
    """
    The node does not forward packets: net.ipv4.ip_forward is 0.

    ## Why it matters
    Whatever a pod sends to another node, and whatever comes for a pod from outside, is dropped silently.

    ## How to put it right
    `sysctl -w net.ipv4.ip_forward=1`, and a file in /etc/sysctl.d so that it stays.
    """
    for name in _settings(node):
        found = node.sysctls.get(name)
        if found is None:
            yield Undecided(
                reason=_(
                    "{path} does not say what {name} is",
                    path=Input.SYSCTLS.path(node.name),
                    name=name,
                ),
                missing=(Input.SYSCTLS.path(node.name),),
                command=shell("sysctl", name),
            )
        elif found.value == "0":
            yield Problem(
                message=_(
                    "{node} does not forward packets: {name} is 0", node=node.name, name=name
                ),
                evidence=(Evidence(found.source, _("forwarding is off")),),
                remedy=_(
                    "On {node}: sysctl -w {name}=1\nFor good: put {name} = 1 into "
                    "/etc/sysctl.d/99-kubernetes.conf there.",
                    node=node.name,
                    name=name,
                ),
            )


def _settings(node: NodeView) -> Iterator[str]:
    """Yield the settings of the IP families that Services use; that of IPv4 where no cluster IP is known."""
    ips = [ip for s in node.cluster.services.values() for ip in s.cluster_ips]
    if not ips or any(":" not in ip for ip in ips):
        yield "net.ipv4.ip_forward"
    if any(":" in ip for ip in ips):
        yield "net.ipv6.conf.all.forwarding"

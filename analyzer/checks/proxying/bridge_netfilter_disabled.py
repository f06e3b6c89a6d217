"""The check `bridge-netfilter-disabled`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from analyzer.check import check
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.simulate.outcome import Cause
from analyzer.snapshot import NodeView

_SETTINGS = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.SYSCTLS,),
    references=(
        "https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/#network-plugin-requirements",
        "https://github.com/kubernetes/kubernetes/issues/38802",
    ),
)
def bridge_netfilter_disabled(node: NodeView) -> Iterator[Outcome]:
    """
    Packets between pods of one bridge do not pass iptables: net.bridge.bridge-nf-call-iptables is 0.

    ## Why it matters
    A pod that uses a Service and gets an endpoint on its own node receives the answer from the endpoint's
    address instead of the Service's, and drops it: connections fail for the share of endpoints beside it.

    ## How to put it right
    `modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1`, and files in
    /etc/modules-load.d and /etc/sysctl.d so that it stays.

    ## Where it is silent
    On nodes whose pods do not hang on a Linux bridge (Calico, Cilium, AWS VPC CNI, …). It is advice where no
    pod of the node has an endpoint beside it, or where a connection to one, followed as the kernel would, is
    answered all the same.
    """
    modes = {ProxyMode.REPLACED, ProxyMode.WINDOWS, ProxyMode.USERSPACE}
    if not node.pod_bridges or node.kube_proxy.mode in modes:
        return
    for version in _versions(node):
        name = _SETTINGS[version]
        found = node.sysctls.get(name)
        if found is None:
            yield Undecided(
                reason=_(
                    "{path} does not say what {name} is (without the module br_netfilter it does "
                    "not exist)",
                    path=Input.SYSCTLS.path(node.name),
                    name=name,
                ),
                missing=(Input.SYSCTLS.path(node.name),),
                command=f"sysctl {name}",
            )
        elif found.value == "0":
            yield from _judged(
                node,
                Problem(
                    message=_(
                        "{name} is 0 on {node}: answers between pods of {names} bypass iptables, so "
                        "that Services with an endpoint beside the client fail",
                        name=name,
                        node=node.name,
                        names=", ".join(sorted(node.pod_bridges)),
                    ),
                    evidence=(Evidence(found.source, _("off")), *_bridges(node)),
                    remedy=_(
                        "On {node}: modprobe br_netfilter && sysctl -w {name}=1",
                        node=node.name,
                        name=name,
                    ),
                    partial=True,
                ),
            )


def _judged(node: NodeView, problem: Problem) -> Iterator[Problem]:
    """Name the Services with an endpoint beside a client; make it advice where no connection is lost for it."""
    if not node.shows_connections:
        yield problem
        return
    found = (c for bridge in node.pod_bridges for c in node.connections_on(bridge))
    of_ports = {c.service_port: c.query for c in found if not c.to_itself}
    if node.may_lose(of_ports.values(), lambda outcome: outcome.cause is Cause.BRIDGE_BYPASS):
        services = frozenset(name.service for name in of_ports)
        yield replace(problem, affects=services)
    else:
        message = _(
            "bridged packets do not pass iptables on {node}; no connection between pods of {names} "
            "is lost for it now",
            node=node.name,
            names=", ".join(sorted(node.pod_bridges)),
        )
        yield replace(problem, message=message, severity=Severity.INFO, partial=False)


def _versions(node: NodeView) -> Iterator[int]:
    yield 4
    dual = any(":" in ip for s in node.cluster.services.values() for ip in s.cluster_ips)
    if dual and any(":" in r.cidr for r in node.pods.ranges):
        yield 6


def _bridges(node: NodeView) -> Iterator[Evidence]:
    source: Ref | None = next(
        (p.source for p in node.bridge_ports if p.bridge in node.pod_bridges), None
    )
    source = source or next((k.source for k in node.links if k.name in node.pod_bridges), None)
    if source is not None:
        yield Evidence(source, _("the bridge that pods hang on"))

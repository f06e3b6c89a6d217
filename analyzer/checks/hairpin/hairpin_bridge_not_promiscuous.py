"""The check `hairpin-bridge-not-promiscuous`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import shell
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.log import LogEntry
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_EFFECTIVE = re.compile(r"Hairpin mode set to \"(?P<mode>[\w-]+)\"\s*$")
"""kubelet 1.2 to 1.23; lines that go on name the flag, not what is done."""


@check(
    station=Station.HAIRPIN,
    severity=Severity.WARNING,
    needs=(Input.KUBELET_LOG, Input.LINKS),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#a-pod-fails-to-reach-itself-via-the-service-ip",
    ),
    advisory=True,
)
def hairpin_bridge_not_promiscuous(node: NodeView) -> Iterator[Problem]:
    """
    kubelet's hairpin mode is promiscuous-bridge, but the bridge is not promiscuous.

    ## Why it matters
    In that mode the bridge itself has to take in packets for its ports; without the flag PROMISC a pod
    does not reach itself through its Service.

    ## How to put it right
    `ip link set cbr0 promisc on`, or restart kubelet; find out what took the flag away.

    ## Where it is silent
    Where kubelet fell back to another mode after its flag, from 1.24 on, where hairpin is the CNI plugin's,
    and where every port of the bridge has hairpin mode of its own.
    """
    effective = _effective(node)
    if effective is None:
        return
    for link in node.links:
        if (
            link.name in node.pod_bridges
            and link.kind in {"bridge", ""}
            and "PROMISC" not in link.flags
            and not _every_port_hairpins(node, link.name)
        ):
            yield Problem(
                message=_(
                    "kubelet on {node} relies on a promiscuous bridge, but {link} is not",
                    node=node.name,
                    link=link.name,
                ),
                evidence=(
                    Evidence(effective.source, _("effective hairpin mode")),
                    Evidence(link.source, _("{link} without PROMISC", link=link.name)),
                ),
                remedy=_("On {node}: ", node=node.name)
                + shell("ip", "link", "set", link.name, "promisc", "on"),
            )


def _effective(node: NodeView) -> LogEntry | None:
    """Return the entry that says promiscuous-bridge, if that is what kubelet said last."""
    said = [(e, m) for e in node.kubelet_log if (m := _EFFECTIVE.search(e.message))]
    if not said or said[-1][1]["mode"] != "promiscuous-bridge":
        return None
    return said[-1][0]


def _every_port_hairpins(node: NodeView, bridge: str) -> bool:
    modes = [p.hairpin for p in node.bridge_ports if p.bridge == bridge]
    return bool(modes) and all(modes)

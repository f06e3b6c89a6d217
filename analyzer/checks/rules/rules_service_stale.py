"""The check `rules-service-stale`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _, plural
from analyzer.model.forwarding import Action, Entry
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.observe.userspace import USERSPACE_CHAINS
from analyzer.problems import Evidence, Part, Problem, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "kube-proxy-backend-split",
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "rules-service-missing",
    ),
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/",),
)
def rules_service_stale(node: NodeView) -> Iterator[Problem]:
    """
    The node serves an address or port that no Service has.

    ## Why it matters
    The rules are older than the Services: what else has changed since is missing too. The address may be
    given to another Service tomorrow, whose clients then reach the wrong pods.

    ## How to put it right
    Restart kube-proxy on the node. If the rule comes back, kube-proxy has stopped following the API.

    ## Where it is silent
    For chains that no rule of KUBE-SERVICES or KUBE-NODEPORTS leads to, and for rules that send nowhere:
    they are left of Services that are gone, and without effect. It only advises when the Service changed
    within a minute before the dump.
    """
    for family in Family:
        comparison = node.comparison(family)
        if comparison is None:
            continue
        stale = [e for e in comparison.surplus if _serves(e)]
        for settled in (True, False):
            served = [_served(e) for e in stale if _settled(node, e) is settled]
            if served:
                yield gathered(
                    _(
                        "{node} serves {addresses} that no Service has",
                        node=node.name,
                        addresses=plural("{count:,} address", "{count:,} addresses", len(served)),
                    )
                    + ("" if settled else _(" (changed just before the dump)")),
                    served,
                    remedy=_("Restart kube-proxy on {node}: ", node=node.name)
                    + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
                    severity=None if settled else Severity.INFO,
                )


def _serves(entry: Entry) -> bool:
    """Tell whether the rule takes connections anywhere; those of the userspace mode do not say where."""
    return entry.action is Action.FORWARD and bool(entry.targets or entry.chain in USERSPACE_CHAINS)


def _settled(node: NodeView, entry: Entry) -> bool:
    return entry.service_port is None or node.settled(entry.service_port.service)


def _served(entry: Entry) -> Part:
    name = entry.service_port
    return Part(
        service=name.service if name else None,
        text=f"{entry.frontend}" + (f" ({name})" if name else ""),
        evidence=(
            Evidence(
                entry.source,
                _("serves the {frontend}, which no Service has", frontend=entry.frontend),
            ),
        ),
    )

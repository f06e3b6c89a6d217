"""The check `rules-service-missing`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _, later, plural
from analyzer.model.forwarding import Action, Entry, FrontendKind, ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family, Ruleset
from analyzer.model.severity import Severity
from analyzer.model.source import SourceRef
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Part, Problem, Undecided, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.ERROR,
    needs=(Input.RULESET, Input.SERVICES, Input.ENDPOINT_SLICES),
    consequence_of=(
        "rules-absent",
        "kube-proxy-backend-split",
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "rules-jump-dangling",
        "rules-chain-empty",
        "external-ip-conflict",
        "node-port-conflict",
        "cluster-ip-duplicate",
    ),
    references=(
        "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-kube-proxy-writing-rules",
    ),
)
def rules_service_missing(node: NodeView) -> Iterator[Outcome]:
    """
    A Service has ready endpoints, but the node has no rule for one of its addresses.

    ## Why it matters
    Connections to the address are not translated: they leave by the default route, or end at the node
    itself, and the client sees a time-out or a refusal.

    ## How to put it right
    Restart kube-proxy on the node. Since 1.27 it does not rewrite chains of Services that did not change,
    so a rule that was deleted by hand stays away.

    ## Where it is silent
    For the node ports of addresses that `nodePortAddresses` leaves out, and for load-balancer IPs that the
    load balancer answers itself (`ipMode: Proxy`). It only advises when the Service changed within a minute
    before the dump, and when a cluster IP without endpoints is not refused: its clients wait for a time-out
    instead of being told at once.
    """
    for family in Family:
        comparison, ruleset = node.comparison(family), node.ruleset(family)
        if ruleset is None:
            yield from _unread(node, family)
        if comparison is None or ruleset is None:
            continue
        unserved = [e for e in comparison.missing if e.action is Action.FORWARD]
        if _node_ports_cut_off(ruleset):
            yield from _without_node_ports(node, ruleset, unserved)
            unserved = [e for e in unserved if e.frontend.kind is not FrontendKind.NODE_PORT]
        yield from _without_rule(node, ruleset, unserved)
        yield from _not_refused(node, ruleset, comparison.missing)


def _unread(node: NodeView, family: Family) -> Iterator[Undecided]:
    """Yield the Services whose addresses of the family cannot be looked up, the dump being absent."""
    source = Input.RULESET if family is Family.IPV4 else Input.RULESET_V6
    needed = (e.service_port for e in node.expected(family).entries if not e.optional)
    services = tuple(dict.fromkeys(name.service for name in needed if name is not None))
    single = services if len(services) <= _MOST_SINGLE else (None,)
    for service in single:
        what = (
            _("rules for {service}", service=service)
            if service
            else _(
                "rules of {services}",
                services=plural("{count:,} Service", "{count:,} Services", len(services)),
            )
        )
        yield Undecided(
            reason=_(
                "{path} is not in the bundle: {family} {what} are not known",
                path=source.path(node.name),
                family=family.value,
                what=what,
            ),
            missing=(source.path(node.name),),
            command=source.command(node.name),
            service=service,
        )


_MOST_SINGLE = 50
"""Services that are told one by one; of more, the report would hold nothing else."""


def _node_ports_cut_off(ruleset: Ruleset) -> bool:
    """Tell whether KUBE-NODEPORTS has rules and KUBE-SERVICES does not lead there."""
    return bool(ruleset.rules("nat", "KUBE-NODEPORTS")) and not any(
        r.target == "KUBE-NODEPORTS" for r in ruleset.rules("nat", "KUBE-SERVICES")
    )


def _without_node_ports(
    node: NodeView, ruleset: Ruleset, unserved: Iterable[Entry]
) -> Iterator[Problem]:
    entries = [e for e in unserved if e.frontend.kind is FrontendKind.NODE_PORT]
    if not entries:
        return
    tool = "iptables" if ruleset.family is Family.IPV4 else "ip6tables"
    shown = (
        _declaration(ruleset, "KUBE-SERVICES", _("no rule of it jumps to KUBE-NODEPORTS")),
        _declaration(ruleset, "KUBE-NODEPORTS", _("the chain that nothing leads to")),
    )
    yield gathered(
        _(
            "nat KUBE-SERVICES on {node} does not jump to KUBE-NODEPORTS: {ports} without effect",
            node=node.name,
            ports=plural("{count:,} node port", "{count:,} node ports", len(entries)),
        ),
        [
            Part(_service(e), f"{e.service_port}, {e.frontend}", shown if i == 0 else ())
            for i, e in enumerate(entries)
        ],
        remedy=_(
            "{restart}\nAt once, by hand:\n{tool} -t nat -A KUBE-SERVICES -m addrtype "
            "--dst-type LOCAL -j KUBE-NODEPORTS",
            restart=_restart(node),
            tool=tool,
        ),
    )


def _without_rule(node: NodeView, ruleset: Ruleset, unserved: Iterable[Entry]) -> Iterator[Problem]:
    for settled in (True, False):
        found = [e for e in unserved if _settled(node, e) is settled]
        chains = (
            "KUBE-NODEPORTS" if e.frontend.kind is FrontendKind.NODE_PORT else "KUBE-SERVICES"
            for e in found
        )
        parts = [_part(node, ruleset, e, chain) for e, chain in zip(found, chains, strict=True)]
        if parts:
            yield gathered(
                _(
                    "{node} has no rule for {addresses} that it should serve",
                    node=node.name,
                    addresses=plural("{count:,} address", "{count:,} addresses", len(parts)),
                )
                + ("" if settled else _(_JUST_CHANGED)),
                parts,
                remedy=_restart(node),
                severity=None if settled else Severity.INFO,
            )


_JUST_CHANGED = later(" (changed just before the dump)")


def _restart(node: NodeView) -> str:
    command = restart_kube_proxy(node.proxy_pods, node.proxy_processes)
    return _("Restart kube-proxy on {node}: {command}", node=node.name, command=command)


def _settled(node: NodeView, entry: Entry) -> bool:
    return entry.service_port is None or node.settled(entry.service_port.service)


def _service(entry: Entry) -> ServiceKey | None:
    return entry.service_port.service if entry.service_port else None


def _part(node: NodeView, ruleset: Ruleset, entry: Entry, chain: str) -> Part:
    return Part(
        service=_service(entry),
        text=f"{entry.service_port}, {entry.frontend}",
        evidence=(
            Evidence(
                node.cluster.declaration(entry),
                _("the {frontend} should be served", frontend=entry.frontend),
            ),
            _declaration(
                ruleset, chain, _("no rule of it is for the {frontend}", frontend=entry.frontend)
            ),
        ),
    )


def _declaration(ruleset: Ruleset, name: str, note: str) -> Evidence:
    """Show the chain in which something is missing; without it its table, or the head of the dump."""
    place = ruleset.chain("nat", name) or ruleset.tables.get("nat")
    return Evidence(ruleset.ref(place) if place else SourceRef(ruleset.path, 1), note)


def _not_refused(node: NodeView, ruleset: Ruleset, missing: Iterable[Entry]) -> Iterator[Problem]:
    """Yield the cluster IPs without endpoints whose clients are not told so."""
    place = ruleset.chain("filter", "KUBE-SERVICES") or ruleset.tables.get("filter")
    silent = [
        e
        for e in missing
        if e.action is Action.REJECT
        and e.frontend.kind is FrontendKind.CLUSTER_IP
        and not e.alternatives
        and _settled(node, e)
    ]
    if place is None or not silent:
        return
    yield gathered(
        _(
            "{node} does not refuse connections to cluster IPs without endpoints: "
            "clients wait for a time-out",
            node=node.name,
        ),
        [
            Part(
                _service(e),
                f"{e.service_port}, {e.frontend}",
                (
                    Evidence(
                        ruleset.ref(place),
                        _("no rule here rejects {frontend}", frontend=e.frontend),
                    ),
                ),
            )
            for e in silent
        ],
        remedy=_("Give the Service endpoints. {restart}", restart=_restart(node)),
        severity=Severity.INFO,
    )

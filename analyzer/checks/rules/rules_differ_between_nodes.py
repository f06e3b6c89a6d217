"""The check `rules-differ-between-nodes`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.commands import restart_kube_proxy
from analyzer.language import _, later
from analyzer.model.forwarding import Endpoint, Entry, ForwardingTable, Frontend
from analyzer.model.inputs import Input
from analyzer.model.ruleset import Family
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Outcome, Part, Undecided, gathered
from analyzer.snapshot import NodeView


@check(
    station=Station.RULES,
    severity=Severity.WARNING,
    needs=(Input.RULESET,),
    consequence_of=(
        "kube-proxy-not-running",
        "kube-proxy-cannot-reach-api",
        "kube-proxy-unauthorized",
        "kube-proxy-sync-failing",
        "kube-proxy-lock-contention",
        "kube-proxy-backend-split",
        "rules-absent",
        "rules-destination-wrong",
        "rules-chain-empty",
        "rules-jump-dangling",
        "rules-endpoint-stale",
        "rules-endpoint-missing",
        "rules-service-missing",
        "rules-reject-leftover",
    ),
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/",),
)
def rules_differ_between_nodes(node: NodeView) -> Iterator[Outcome]:
    """
    A node sends a cluster IP to other endpoints than most nodes do.

    ## Why it matters
    All nodes follow the same Services and endpoints: the one that differs has stopped, or was edited. It
    shows even where Services or endpoints are not in the bundle.

    ## How to put it right
    Restart kube-proxy on the node that differs.

    ## Where it is silent
    For Services with internalTrafficPolicy Local or topology hints, which differ by design; where the node
    agrees with the API objects; where a Service changed within a minute before the dumps, which are not taken
    on all nodes at once; and where no majority of the nodes agrees.
    """
    if node.cluster.hides_addresses:
        yield Undecided(reason=node.incomparable)
        return
    common = node.cluster.common_endpoints
    unread = [n.name for n in node.cluster.nodes.values() if not n.has_rules and not n.windows]
    open_ = any(f not in common and not _as_expected(node, f) for f in node.cluster_ip_endpoints)
    if unread and open_:
        yield Undecided(
            reason=_(
                "the nodes do not agree, and rules of {names} are not in the bundle",
                names=", ".join(unread[:3]),
            ),
            missing=(Input.RULESET.path(unread[0]),),
            command=Input.RULESET.command(unread[0]),
        )
    elif not _expected_known(node) and open_:
        yield Undecided(
            reason=_(
                "the nodes do not agree, no majority of them does, and the bundle does not "
                "tell who is right"
            ),
            missing=(Input.SERVICES.path(), Input.ENDPOINT_SLICES.path()),
            command=Input.SERVICES.command(),
        )
    own = node.cluster_ip_endpoints
    differing = [f for f, endpoints in own.items() if common.get(f, endpoints) != endpoints]
    parts = [
        _part(node, table, frontend, own[frontend], common[frontend])
        for family in (Family if differing else ())
        for table in [node.observed(family)]
        if table is not None
        for frontend in differing
        if frontend in table.by_frontend
        and not _right(node, family, frontend)
        and _settled(node, table.by_frontend[frontend][0])
    ]
    if parts:
        yield gathered(
            _("{node} forwards otherwise than most nodes", node=node.name),
            parts,
            remedy=_("Restart kube-proxy on {node}: ", node=node.name)
            + restart_kube_proxy(node.proxy_pods, node.proxy_processes),
        )


def _expected_known(node: NodeView) -> bool:
    return node.has(Input.SERVICES) and node.has(Input.ENDPOINT_SLICES)


def _as_expected(node: NodeView, frontend: Frontend) -> bool:
    """Tell whether the node is right without regard to what the others do."""
    tables = ((family, node.observed(family)) for family in Family)
    families = [family for family, table in tables if table and frontend in table.by_frontend]
    return all(_right(node, family, frontend) for family in families)


def _settled(node: NodeView, entry: Entry) -> bool:
    return entry.service_port is None or node.settled(entry.service_port.service)


def _right(node: NodeView, family: Family, frontend: Frontend) -> bool:
    """Tell whether the API objects (or a chain for local endpoints) make the node differ."""
    table = node.observed(family)
    if any(e.chain.startswith("KUBE-SVL-") for e in (table.by_frontend[frontend] if table else ())):
        return True
    if not _expected_known(node):
        return False
    expected = node.expected(family).by_frontend.get(frontend, ())
    found = node.cluster_ip_endpoints[frontend]
    return any(e.required_endpoints <= found <= e.allowed_endpoints for e in expected)


def _part(
    node: NodeView,
    table: ForwardingTable,
    frontend: Frontend,
    endpoints: frozenset[Endpoint],
    usual: frozenset[Endpoint],
) -> Part:
    entry = table.by_frontend[frontend][0]
    name = entry.service_port
    told = "; ".join(
        _(told, endpoints=listed(tuple(map(str, sorted(some)))))
        for told, some in (
            (later("lacks {endpoints}"), usual - endpoints),
            (later("adds {endpoints}"), endpoints - usual),
        )
        if some
    )
    return Part(
        service=name.service if name else None,
        text=f"{name or frontend} {told}",
        evidence=(
            Evidence(entry.source, _("on {node}", node=node.name)),
            *_elsewhere(node, frontend, usual),
        ),
    )


def _elsewhere(
    node: NodeView, frontend: Frontend, usual: frozenset[Endpoint]
) -> Iterator[Evidence]:
    for other in node.cluster.nodes.values():
        if other is not node and other.cluster_ip_endpoints.get(frontend) == usual:
            entry = _entry(other, frontend)
            if entry is not None:
                yield Evidence(entry.source, _("on {other}, as on most nodes", other=other.name))
                return


def _entry(node: NodeView, frontend: Frontend) -> Entry | None:
    tables = (node.observed(family) for family in Family)
    found = (t.by_frontend[frontend][0] for t in tables if t and frontend in t.by_frontend)
    return next(found, None)

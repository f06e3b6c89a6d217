"""Services by node: what a client on each node meets, nodes that look the same in one column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyzer.findings import Finding, NotEvaluated, Report, ServiceReport
from analyzer.model.severity import Severity
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.report.view_services import ServiceRow

_ROWS = 200
_COLUMNS = 12
_OF_NODES = frozenset({Station.KUBE_PROXY, Station.RULES, Station.PROXYING, Station.HAIRPIN})


@dataclass(frozen=True, slots=True)
class NodeCell:
    """What a client on some nodes meets at one Service."""

    status: Status
    finding: str
    """Id of the finding that says so; empty where none does."""


@dataclass(frozen=True, slots=True)
class NodesRow:
    """One Service."""

    service: ServiceRow
    cells: tuple[NodeCell, ...]


@dataclass(frozen=True, slots=True)
class NodesTable:
    """Services by node."""

    columns: tuple[tuple[str, ...], ...]
    """The nodes of each column, those with something wrong first."""

    rows: tuple[NodesRow, ...]
    left_out: int
    """Nodes that have no column."""


def nodes_table(report: Report, services: Sequence[ServiceRow]) -> NodesTable:
    """Return the table of all Services of a small cluster, else of those that are not healthy."""
    if len(services) > _ROWS:
        services = [s for s in services if s.verdict is not Verdict.HEALTHY][:_ROWS]
    diagnoses = {s.service.full_name: s for s in report.services}
    judge = _Judge({f.id: f for f in report.findings}, _open(report.not_evaluated))
    columns: dict[tuple[NodeCell, ...], list[str]] = {}
    for node in report.nodes:
        cells = tuple(judge.cell(diagnoses[s.name], node.name) for s in services)
        columns.setdefault(cells, []).append(node.name)
    ranked = sorted(columns.items(), key=lambda column: _gravity(column[0]))
    shown = ranked[:_COLUMNS]
    return NodesTable(
        columns=tuple(tuple(nodes) for _cells, nodes in shown),
        rows=tuple(
            NodesRow(service, tuple(cells[number] for cells, _nodes in shown))
            for number, service in enumerate(services)
        ),
        left_out=sum(len(nodes) for _cells, nodes in ranked[_COLUMNS:]),
    )


def _open(items: Sequence[NotEvaluated]) -> Mapping[str, Sequence[NotEvaluated]]:
    """Return by node what could not be evaluated of what decides about Services there."""
    found: dict[str, list[NotEvaluated]] = defaultdict(list)
    for item in items:
        if item.node is not None and item.check.station in _OF_NODES and not item.check.advisory:
            found[item.node].append(item)
    return found


def _gravity(cells: Sequence[NodeCell]) -> tuple[int, int]:
    statuses = [cell.status for cell in cells]
    return (-statuses.count(Status.FAIL), -statuses.count(Status.WARN))


@dataclass(frozen=True, slots=True)
class _Judge:
    by_id: Mapping[str, Finding]
    open_at: Mapping[str, Sequence[NotEvaluated]]

    def cell(self, diagnosis: ServiceReport, node: str) -> NodeCell:
        ids = dict.fromkeys(i for station in diagnosis.stations for i in station.findings)
        felt = [self.by_id[i] for i in ids if self.by_id[i].severity is not Severity.INFO]
        here = [f for f in felt if f.problem.node in {None, node}]
        # What is said of this node tells more than what is said of the Service everywhere.
        here.sort(key=lambda f: (f.severity.order, f.problem.node is None))
        if here:
            first = here[0]
            failing = first.severity is Severity.ERROR and first.problem.pod is None
            return NodeCell(Status.FAIL if failing else Status.WARN, first.id)
        stations = [s for s in diagnosis.stations if s.station in _OF_NODES]
        if all(s.status is Status.NOT_APPLICABLE for s in stations):
            return NodeCell(Status.NOT_APPLICABLE, "")
        key = diagnosis.service.key
        if any(item.service in {None, key} for item in self.open_at.get(node, ())):
            return NodeCell(Status.NOT_EVALUATED, "")
        return NodeCell(Status.PASS, "")

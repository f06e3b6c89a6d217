"""Services as rows of a table: verdict, addresses, and one cell for each station."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzer.findings import Report, ServiceReport, StationResult
from analyzer.language import _
from analyzer.model.kubernetes import Service, ServicePort
from analyzer.model.station import Station, Status
from analyzer.model.verdict import Verdict
from analyzer.report.wording import VERDICT_ORDER

STATIONS = tuple(station for station in Station if station is not Station.BUNDLE)
"""Columns of the table."""

_UNSAFE = re.compile(r"[^\w./+-]", re.ASCII)
_PORTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """What one station says about one Service."""

    station: Station
    status: Status
    finding: str
    """Id of the finding that decided it; empty where none did."""

    reason: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One Service."""

    name: str
    """`namespace/name`."""

    namespace: str
    anchor: str
    """Part of a link after `#`: the name, with anything that is unsafe in a link replaced."""

    address: str
    """What a client connects to, such as `10.96.0.10 53/UDP 53/TCP`."""

    verdict: Verdict
    cause: str
    """Id of the finding that, put right, makes it work; empty where none."""

    cause_slug: str
    cells: tuple[Cell, ...]

    @property
    def failing(self) -> tuple[str, ...]:
        """Names of the stations that fail or warn."""
        bad = {Status.FAIL, Status.WARN}
        return tuple(_(cell.station.value) for cell in self.cells if cell.status in bad)


def service_rows(report: Report) -> tuple[ServiceRow, ...]:
    """Return the Services, those in the worst state first."""
    slugs = {finding.id: finding.check.slug for finding in report.findings}
    rows = [_row(service, slugs.get(service.cause or "", "")) for service in report.services]
    return tuple(sorted(rows, key=lambda row: VERDICT_ORDER.index(row.verdict)))


def anchor_of(name: str) -> str:
    """Return a name as part of a link, with anything that is unsafe in one replaced."""
    return _UNSAFE.sub("_", name)


def _row(diagnosis: ServiceReport, cause_slug: str) -> ServiceRow:
    service = diagnosis.service
    by_station = {result.station: result for result in diagnosis.stations}
    return ServiceRow(
        name=service.full_name,
        namespace=service.namespace,
        anchor=f"s/{anchor_of(service.full_name)}",
        address=_address(service),
        verdict=diagnosis.verdict,
        cause=diagnosis.cause or "",
        cause_slug=cause_slug,
        cells=tuple(_cell(station, by_station.get(station)) for station in STATIONS),
    )


def _cell(station: Station, result: StationResult | None) -> Cell:
    if result is None:
        return Cell(station, Status.NOT_EVALUATED, "", "")
    return Cell(station, result.status, next(iter(result.findings), ""), result.reason)


def _address(service: Service) -> str:
    if service.spec.type == "ExternalName":
        return _("alias of {value}", value=service.spec.external_name or _("(nothing)"))
    host = ", ".join(service.cluster_ips) or (
        "headless" if service.headless else _("no cluster IP")
    )
    ports = [_port(port) for port in service.ports[:_PORTS_SHOWN]]
    more = len(service.ports) - len(ports)
    return " ".join((host, *ports, *([f"+{more}"] if more else ())))


def _port(port: ServicePort) -> str:
    return f"{port.port}/{port.protocol}" + (
        _(" (node port {node_port})", node_port=port.node_port) if port.node_port else ""
    )

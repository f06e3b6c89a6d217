"""Nodes as rows: mode, versions, backend, how fresh their rules are, how many, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analyzer.findings import NodeReport, Report
from analyzer.language import _, plural
from analyzer.report.view_causes import Cause
from analyzer.report.view_services import anchor_of


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node."""

    name: str
    anchor: str
    mode: str
    kube_proxy: str
    """Its version, or what is known about it."""

    kubelet: str
    """Version of the kubelet; empty where unknown."""

    signs: tuple[str, ...]
    """What the version was concluded from, where nothing states it."""

    backend: str
    rules: int
    tables: tuple[str, ...]
    """`nat: 64 chains, 210 rules`, one for each table."""

    last_sync: str
    """When kube-proxy wrote its rules last, and how long before the bundle was made; empty where not told."""

    last_log: str
    """The same of the last line of its log: far off, the clocks differ or kube-proxy is silent."""

    findings: tuple[Cause, ...]
    """Causes that are about this node."""


def node_rows(report: Report, problems: Sequence[Cause]) -> tuple[NodeRow, ...]:
    """Return the nodes in the order of the report."""
    made = report.identity.created_at
    return tuple(_row(node, problems, made) for node in report.nodes)


def utc_text(moment: datetime) -> str:
    """`2026-11-23 02:51:33 UTC`; a moment without zone is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{aware:%Y-%m-%d %H:%M:%S} UTC"


def span_text(span: timedelta) -> str:
    """`4 s`, `12 min`, `3 h 5 min` or `2 d 4 h`, without sign."""
    seconds = round(abs(span.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return _("{days} d {hours} h", days=days, hours=hours)
    if hours:
        return _("{hours} h {minutes} min", hours=hours, minutes=minutes)
    if minutes:
        return _("{minutes} min", minutes=minutes)
    return _("{seconds} s", seconds=seconds)


def _row(node: NodeReport, problems: Sequence[Cause], made: datetime | None) -> NodeRow:
    version = node.kube_proxy.version
    return NodeRow(
        name=node.name,
        anchor=f"node/{anchor_of(node.name)}",
        mode=node.kube_proxy.mode.value,
        kube_proxy=str(version),
        kubelet=node.kubelet,
        signs=()
        if version.exact
        else tuple(_("{what}: {told}", what=s.claim, told=s.reason) for s in version.signs),
        backend=node.backend.value if node.backend else _("no rules read"),
        rules=node.rules,
        tables=tuple(
            _(
                "{family} {table}: {chains}, {rules}",
                family=table.family.value,
                table=table.name,
                chains=plural("{count:,} chain", "{count:,} chains", table.chains),
                rules=plural("{count:,} rule", "{count:,} rules", table.rules),
            )
            for table in node.tables
        ),
        last_sync=_moment(node.last_sync, made),
        last_log=_moment(node.last_log, made),
        findings=tuple(c for c in problems if c.shown.finding.problem.node == node.name),
    )


def _moment(moment: datetime | None, made: datetime | None) -> str:
    if moment is None:
        return ""
    if made is None:
        return utc_text(moment)
    aware = moment.replace(tzinfo=made.tzinfo) if moment.tzinfo is None else moment
    zoned = made.replace(tzinfo=UTC) if made.tzinfo is None else made
    ahead = aware.replace(tzinfo=aware.tzinfo or UTC) - zoned
    words = (
        _("{span} after the bundle was begun", span=span_text(ahead))
        if ahead > timedelta()
        else _("{span} before the bundle was begun", span=span_text(ahead))
    )
    return _("{moment}, {distance}", moment=utc_text(aware), distance=words)

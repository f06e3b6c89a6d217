"""The path of each Service as it is drawn, with the findings about it and the same in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analyzer.findings import Finding, Report, ServiceReport
from analyzer.language import _, plural
from analyzer.model.forwarding import Action
from analyzer.model.service_path import EndpointSite, ServicePath
from analyzer.model.verdict import Verdict
from analyzer.phrases import listed
from analyzer.report.path_branches import READINESS_WORDS
from analyzer.report.path_lanes import NodeLanes
from analyzer.report.path_marks import Marker, Numbered, Spot, marker
from analyzer.report.path_parts import (
    TONE_WORDS,
    Box,
    Branch,
    Front,
    Group,
    Lane,
    Tone,
    parts_of,
)
from analyzer.report.view_findings import Shown
from analyzer.report.view_services import anchor_of
from analyzer.report.wording import VERDICT_ORDER

_GROUPS = 4
"""So many groups of nodes are drawn: with a Local policy, each node may be one of its own."""

_MARKED = 9
"""So many findings get a number; the others are counted."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A finding with its number in the picture."""

    number: int
    shown: Shown


@dataclass(frozen=True, slots=True)
class End:
    """One endpoint of a lane in words."""

    endpoint: str
    """With its share and its chain."""

    pod: str


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One lane of the picture, for those who read it as a table."""

    nodes: str
    address: str
    rules: str
    ends: tuple[End, ...]


@dataclass(frozen=True, slots=True)
class PathView:
    """The picture of one Service."""

    name: str
    anchor: str
    verdict: Verdict
    groups: tuple[Group, ...]
    findings: tuple[Marked, ...]
    further: int
    """Findings about the Service that have no number."""

    left_out: int
    """Nodes that are not drawn."""

    summaries: tuple[str, ...]
    """Each group's picture in a sentence."""

    table: tuple[LaneRow, ...]


def path_views(report: Report) -> tuple[PathView, ...]:
    """Return the pictures, those of the Services in the worst state first."""
    by_id = {finding.id: finding for finding in report.findings}
    services = {service.service.key: service for service in report.services}
    views = (
        _view(report, path, services[path.service], by_id)
        for path in report.paths
        if path.service in services
    )
    return tuple(sorted(views, key=lambda view: VERDICT_ORDER.index(view.verdict)))


def _view(
    report: Report, path: ServicePath, service: ServiceReport, by_id: Mapping[str, Finding]
) -> PathView:
    about = _about(service, by_id)
    numbered = tuple(Numbered(n, finding) for n, finding in enumerate(about[:_MARKED], start=1))
    groups = _groups(path, numbered) or (_direct(service, path.sites, numbered),)
    return PathView(
        name=service.service.full_name,
        anchor=f"path/{anchor_of(service.service.full_name)}",
        verdict=service.verdict,
        groups=groups[:_GROUPS],
        findings=tuple(Marked(n.number, Shown(n.finding, report)) for n in numbered),
        further=len(about) - len(numbered),
        left_out=sum(len(group.nodes) for group in groups[_GROUPS:]),
        summaries=tuple(_told(group) for group in groups[:_GROUPS]),
        table=tuple(row for group in groups[:_GROUPS] for row in _rows(group)),
    )


def _about(service: ServiceReport, by_id: Mapping[str, Finding]) -> list[Finding]:
    """Return the findings about a Service: its cause, then the graver ones."""
    ids = dict.fromkeys(f for station in service.stations for f in station.findings)
    found = sorted((by_id[i] for i in ids), key=lambda f: f.severity.order)
    first = [by_id[service.cause]] if service.cause else []
    return [*first, *(f for f in found if f not in first)]


def _groups(path: ServicePath, numbered: Sequence[Numbered]) -> tuple[Group, ...]:
    """Return the nodes by what they do, those with something wrong first."""
    alike: dict[tuple[Lane, ...], list[str]] = {}
    treated = (entry for node in path.nodes for entry in node.treatment)
    refused = any(entry.action is not Action.FORWARD for entry in treated)
    for node in path.nodes:
        marks = marker(numbered, node.node, node.observed, refused=refused)
        lanes = NodeLanes(node, path.sites, marks).lanes()
        alike.setdefault(lanes, []).append(node.node)
    unread = {node.node for node in path.nodes if node.unread}
    groups = (
        Group(tuple(nodes), lanes, _gravest(lanes), unread=nodes[0] in unread)
        for lanes, nodes in alike.items()
    )
    return tuple(sorted(groups, key=lambda g: -g.tone.order))


def _gravest(lanes: Sequence[Lane]) -> Tone:
    tones = (box.tone for lane in lanes for box in parts_of(lane))
    return max(tones, key=lambda tone: tone.order, default=Tone.PLAIN)


# --- Services that no rule is about ---


def _direct(
    service: ServiceReport, sites: Sequence[EndpointSite], numbered: Sequence[Numbered]
) -> Group:
    """Return the way by name to the pods of a headless Service, or to the name that an ExternalName stands for."""
    placing = marker(numbered, "", ())
    item = service.service
    host = f"{item.name}.{item.namespace}.svc"
    client = placing.mark(Box(_("Client"), (_("all clients"),)), Spot.CLIENT)
    branches = tuple(_by_name(site, placing) for site in sites)
    if item.spec.type == "ExternalName":
        kind = _("DNS alias")
        branches = (Branch(Box(item.spec.external_name or _("no name"))),)
    elif item.headless:
        kind = _("headless: the name stands for the pods")
    else:
        kind = _("not served by kube-proxy")
    nothing = Branch(
        placing.mark(Box(_("no endpoint"), (), Tone.MISSING), Spot.ENDPOINTS), idle=True
    )
    address = placing.mark(Box(host, (kind,)), Spot.ADDRESS)
    lane = Lane("", (Front(client, address, None),), None, branches or (nothing,))
    return Group((), (lane,), _gravest((lane,)))


def _by_name(site: EndpointSite, placing: Marker) -> Branch:
    ready = _(READINESS_WORDS[site.readiness])
    notes = (str(site.endpoint), " · ".join(filter(None, (site.node, ready))))
    name = site.pod.rpartition("/")[2] or str(site.endpoint)
    box = Box(name, notes, Tone.GOOD if site.readiness.value == "ready" else Tone.WARN)
    return Branch(placing.mark(box, Spot.ENDPOINTS, pod=site.pod) if site.pod else box)


# --- in words ---


def _told(group: Group) -> str:
    where = _("On {nodes}", nodes=listed(group.nodes, 5)) if group.nodes else _("By name")
    endpoints = sum(not b.idle for lane in group.lanes for b in lane.branches)
    count = plural("{count} endpoint is drawn", "{count} endpoints are drawn", endpoints)
    wrong = [
        _(
            "{what} ({state})",
            what=box.title or _("the way to the pod"),
            state=_(TONE_WORDS[box.tone]),
        )
        for lane in group.lanes
        for box in parts_of(lane)
        if box.tone in {Tone.BAD, Tone.MISSING}
    ]
    count = _(", ").join(filter(None, (count, *(lane.more for lane in group.lanes))))
    state = listed(tuple(dict.fromkeys(wrong)), 4) if wrong else _("all is as expected")
    if not wrong and group.tone is Tone.UNKNOWN:
        state = _("what the rules do is not known")
    return _("{where}: {count}; {state}.", where=where, count=count, state=state)


def _rows(group: Group) -> Iterator[LaneRow]:
    nodes = listed(group.nodes, 6)
    for lane in group.lanes:
        address = _("; ").join(
            _with_notes(f.address.title, (*f.address.notes, *f.client.notes)) for f in lane.fronts
        )
        heads = (*(f.dispatch for f in lane.fronts), lane.service)
        rules = " → ".join(dict.fromkeys(_said(box) for box in heads if box))
        ends = [_end(branch) for branch in lane.branches]
        ends += [End(lane.more, "")] if lane.more else []
        yield LaneRow(nodes, address, rules, tuple(ends))


def _end(branch: Branch) -> End:
    chain = _said(branch.chain) if branch.chain else ""
    rule = _("no rule leads here") if branch.idle else ""
    return End(_(", ").join(filter(None, (branch.share, chain, rule))), _said(branch.pod))


def _said(box: Box) -> str:
    state = _(TONE_WORDS[box.tone]) if box.tone not in {Tone.PLAIN, Tone.GOOD} else ""
    return _with_notes(box.title, (*box.notes, state, box.place))


def _with_notes(title: str, notes: Iterable[str]) -> str:
    told = _(", ").join(filter(None, notes))
    return _("{what} ({state})", what=title, state=told) if told else title

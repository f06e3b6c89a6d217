"""At which part of a path a finding is marked: the rule it quotes, the pod it names, or else its station's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from analyzer.findings import Finding
from analyzer.model.forwarding import Entry
from analyzer.model.severity import Severity
from analyzer.model.source import Ref
from analyzer.model.station import Station
from analyzer.report.path_parts import Box, Tone

_NODE_FILE = re.compile(r"nodes/([^/]+)/")


class Spot(Enum):
    """A part of the path."""

    CLIENT = "client"
    ADDRESS = "address"
    DISPATCH = "dispatch"
    SERVICE = "service"
    REFUSAL = "refusal"
    """A lane in which the connection is refused."""

    ENDPOINTS = "endpoints"
    DELIVERY = "delivery"


_SPOTS = {
    Station.EXISTS: Spot.ADDRESS,
    Station.DNS: Spot.CLIENT,
    Station.IP: Spot.ADDRESS,
    Station.DEFINITION: Spot.ADDRESS,
    Station.ENDPOINTS: Spot.ENDPOINTS,
    Station.PODS: Spot.ENDPOINTS,
    Station.KUBE_PROXY: Spot.DISPATCH,
    Station.RULES: Spot.DISPATCH,
    Station.PROXYING: Spot.DELIVERY,
    Station.HAIRPIN: Spot.DELIVERY,
}
_TONES = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.WARN, Severity.INFO: Tone.PLAIN}


@dataclass(frozen=True, slots=True)
class Numbered:
    """A finding with its number in the picture."""

    number: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class Marker:
    """Marks the findings about one node (or about a Service without nodes)."""

    quoted: tuple[Numbered, ...]
    """Those that quote a rule of the path."""

    placed: tuple[Numbered, ...]
    """The others, without advice."""

    refused: bool = False
    """True where some node refuses connections to the Service: findings about the way are about that."""

    def mark(
        self,
        box: Box,
        spot: Spot,
        *,
        refs: Iterable[Ref | None] = (),
        ports: frozenset[str] = frozenset(),
        pod: str = "",
    ) -> Box:
        """Return the box with the findings at this spot, of these rules, of this pod."""
        rules = set(refs)
        found = [
            n for n in self.quoted if any(e.source in rules for e in n.finding.problem.evidence)
        ]
        found += [n for n in self.placed if self._is_here(n.finding, spot, pod)]
        here = [n for n in found if n.finding.problem.port in {None, *ports} or not ports]
        tone = max((box.tone, *(_TONES[n.finding.severity] for n in here)), key=_order)
        if box.tone is Tone.MISSING:
            tone = Tone.MISSING
        return Box(box.title, box.notes, tone, tuple(n.number for n in here), box.place)

    def _is_here(self, finding: Finding, spot: Spot, pod: str) -> bool:
        named, station = finding.problem.pod, finding.check.station
        if named is not None and station is Station.PODS:
            return named == pod
        if station is Station.PROXYING and self.refused:
            return spot is Spot.REFUSAL
        return _SPOTS.get(station) is spot and not pod


def marker(
    numbered: Sequence[Numbered], node: str, entries: Iterable[Entry], *, refused: bool = False
) -> Marker:
    """Return the marker of a node with the entries that were observed there; `node` is empty for none."""
    about = [n for n in numbered if not node or node in (_nodes(n.finding) or {node})]
    rules = {ref for entry in entries for ref in _rules(entry)}
    quoted = tuple(n for n in about if any(e.source in rules for e in n.finding.problem.evidence))
    placed = (n for n in about if n.finding.severity is not Severity.INFO and n not in quoted)
    return Marker(quoted, tuple(placed), refused)


def _order(tone: Tone) -> int:
    return tone.order


def _nodes(finding: Finding) -> set[str]:
    """Return the nodes that a finding is about; empty for all of them."""
    if finding.problem.node is not None:
        return {finding.problem.node}
    paths = (_NODE_FILE.match(e.source.path) for e in finding.problem.evidence)
    return {path[1] for path in paths if path}


def _rules(entry: Entry) -> Iterable[Ref]:
    yield entry.source
    yield from filter(None, (entry.chain_source, entry.masquerade_source))
    for target in entry.targets:
        yield target.source
        if target.destination is not None:
            yield target.destination

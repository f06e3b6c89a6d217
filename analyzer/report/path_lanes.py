"""From what one node does, beside what it should do, to the lanes of a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from analyzer.language import _, later
from analyzer.model.chain_names import SERVICE_PREFIXES, service_suffix
from analyzer.model.forwarding import (
    Action,
    Entry,
    ForwardingTable,
    Frontend,
    FrontendKind,
    ServicePortName,
)
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.service_path import EndpointSite, NodePath, Sides
from analyzer.report.forwarding_pairs import Pair, pairs_by_owner
from analyzer.report.forwarding_words import (
    ACTION_WORDS,
    CLIENT_WORDS,
    FRONTEND_WORDS,
    affinity_text,
    masquerade_text,
    ranges_text,
)
from analyzer.report.path_branches import Branches
from analyzer.report.path_marks import Marker, Spot
from analyzer.report.path_parts import Box, Front, Lane, Tone
from analyzer.report.show import place_of

_DISPATCHERS = {
    ProxyMode.IPTABLES: ("KUBE-SERVICES", "KUBE-NODEPORTS"),
    ProxyMode.USERSPACE: ("KUBE-PORTALS", "KUBE-NODEPORT"),
    ProxyMode.IPVS: ("IPVS", "IPVS"),
    ProxyMode.NFTABLES: ("service-ips", "service-nodeports"),
}
"""What finds the Service of a connection to an address, and to a port of the node, by mode."""

_REFUSALS = {
    Action.REJECT: ("REJECT", later("connection refused")),
    Action.DROP: ("DROP", later("the client times out")),
}


@dataclass(frozen=True, slots=True)
class NodeLanes:
    """Makes the lanes of one Service on one node."""

    path: NodePath
    sites: tuple[EndpointSite, ...]
    marker: Marker

    def lanes(self) -> tuple[Lane, ...]:
        """Return the lanes, each with all addresses that lead to the same endpoints."""
        found = [lane for side in self.path.sides for lane in self._of_family(side)]
        ports = {lane.port for lane in found}
        merged: dict[Lane, list[Front]] = {}
        for lane in found:
            merged.setdefault(replace(lane, fronts=()), []).extend(lane.fronts)
        return tuple(
            replace(lane, fronts=tuple(fronts), port=lane.port if len(ports) > 1 else "")
            for lane, fronts in merged.items()
        )

    def _of_family(self, side: Sides) -> Iterator[Lane]:
        observed = side.observed or ForwardingTable(side.expected.family)
        for pairs in pairs_by_owner(observed, side.expected).values():
            for pair in pairs:
                dispensable = pair.observed is None and pair.expected and pair.expected.optional
                if pair.owner is not None and not (dispensable and side.observed is not None):
                    yield self._lane(pair, pair.owner)

    def _lane(self, pair: Pair, owner: ServicePortName) -> Lane:
        frontend = pair.frontend
        ports = frozenset(
            {owner.port, str(frontend.port), f"{frontend.port}/{frontend.protocol.value}"}
        )
        branches = Branches(
            owner,
            frontend.protocol,
            self.path.mode,
            {site.endpoint: site for site in self.sites},
            self.marker,
            ports,
        ).drawn(pair.observed, pair.expected, unread=bool(self.path.unread))
        front = Front(
            client=self._marked(
                Box(_("Client"), (_(CLIENT_WORDS[pair.clients]),)), Spot.CLIENT, ports
            ),
            address=self._marked(_address(frontend), Spot.ADDRESS, ports),
            dispatch=self._dispatch(pair, ports),
        )
        label = owner.port or str(frontend.port)
        return Lane(label, (front,), self._service(pair, owner), branches.branches, branches.more)

    def _dispatch(self, pair: Pair, ports: frozenset[str]) -> Box:
        chains = _DISPATCHERS.get(self.path.mode, ("kube-proxy", "kube-proxy"))
        title = chains[pair.frontend.kind is FrontendKind.NODE_PORT]
        tone, note = Tone.GOOD, ""
        if self.path.unread:
            tone, note = Tone.UNKNOWN, _("rules not read")
        elif pair.observed is None:
            tone, note = Tone.MISSING, _("no rule for this address")
        elif pair.expected is None:
            tone, note = Tone.BAD, _("not expected")
        refs = (pair.observed.source,) if pair.observed else ()
        notes = (note,) if note else ()
        box = Box(title, notes, tone, place=place_of(refs[0]) if refs else "")
        return self.marker.mark(box, Spot.DISPATCH, refs=refs, ports=ports)

    def _service(self, pair: Pair, owner: ServicePortName) -> Box:
        entry = pair.observed or pair.expected
        assert entry is not None
        title, notes = self._treatment(entry, owner, pair.frontend)
        tone = Tone.GOOD
        if self.path.unread:
            tone = Tone.UNKNOWN
        elif pair.observed is None:
            tone = Tone.MISSING
        elif differences := tuple(_differences(pair)):
            notes, tone = (*notes, *differences), Tone.BAD
        elif entry.action is not Action.FORWARD:
            notes, tone = (*notes, _("as it should")), Tone.PLAIN
        refs = (entry.chain_source, entry.masquerade_source) if pair.observed else ()
        place = place_of(entry.chain_source) if entry.chain_source else ""
        spot = Spot.SERVICE if entry.action is Action.FORWARD else Spot.REFUSAL
        return self.marker.mark(Box(title, notes, tone, place=place), spot, refs=refs)

    def _treatment(
        self, entry: Entry, owner: ServicePortName, frontend: Frontend
    ) -> tuple[str, tuple[str, ...]]:
        """Return the name of what treats the connection, and what it does besides choosing."""
        if entry.action in _REFUSALS:
            title, effect = _REFUSALS[entry.action]
            return title, (_(effect),)
        name = entry.chain
        if not name and self.path.mode is ProxyMode.IPTABLES:
            name = SERVICE_PREFIXES[0] + service_suffix(owner, frontend.protocol)
        return name or str(owner), tuple(_terms(entry))

    def _marked(self, box: Box, spot: Spot, ports: frozenset[str]) -> Box:
        return self.marker.mark(box, spot, ports=ports)


def _address(frontend: Frontend) -> Box:
    host = f"[{frontend.address}]" if ":" in frontend.address else frontend.address
    title = f"{host}{':' if host else ''}{frontend.port}/{frontend.protocol.value}"
    notes = (_(FRONTEND_WORDS[frontend.kind]), *([] if host else [_("any address of the node")]))
    return Box(title, notes)


def _terms(entry: Entry) -> Iterable[str]:
    if entry.masquerade is not None:
        yield masquerade_text(entry)
    if entry.affinity_seconds is not None:
        yield affinity_text(entry)
    if entry.source_ranges is not None:
        yield ranges_text(entry)


def _differences(pair: Pair) -> Iterator[str]:
    found, wanted = pair.observed, pair.expected
    if found is None or wanted is None:
        return
    if found.action not in wanted.allowed_actions:
        yield _("expected: {what}", what=_(ACTION_WORDS[wanted.action]))
        return
    if found.service_port and found.service_port != wanted.service_port:
        yield _("belongs to {service}", service=found.service_port)
    if found.action is Action.FORWARD and wanted.action is Action.FORWARD:
        differing = (
            (masquerade_text, found.masquerade not in {None, wanted.masquerade}),
            (affinity_text, found.affinity_seconds != wanted.affinity_seconds),
            (ranges_text, found.source_ranges != wanted.source_ranges),
        )
        for say, differs in differing:
            if differs:
                yield _("expected: {what}", what=say(wanted))

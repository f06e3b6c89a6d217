"""The endpoints of a lane: those that the rules choose, those that they ought to, and pods that get nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from analyzer.language import _, later
from analyzer.model.chain_names import endpoint_chain
from analyzer.model.forwarding import Endpoint, Entry, Protocol, ServicePortName, Target
from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.service_path import EndpointSite, Readiness
from analyzer.report.forwarding_words import share_text
from analyzer.report.path_marks import Marker, Spot
from analyzer.report.path_parts import Box, Branch, Tone
from analyzer.report.show import place_of

_SHARE_TOLERANCE = 0.005
_FULL = 10
"""Up to so many branches, each is drawn."""

_DRAWN = 8
"""Of more than that, so many are: what is wrong before what is right."""

READINESS_WORDS = {
    Readiness.READY: later("ready"),
    Readiness.NOT_READY: later("not ready"),
    Readiness.TERMINATING: later("terminating"),
    Readiness.UNPUBLISHED: later("not published"),
    Readiness.GONE: later("no pod has this address"),
    Readiness.UNKNOWN: later("readiness not known"),
}
_SERVED_TONES = {
    Readiness.READY: Tone.GOOD,
    Readiness.NOT_READY: Tone.WARN,
    Readiness.TERMINATING: Tone.WARN,
    Readiness.UNPUBLISHED: Tone.WARN,
    Readiness.GONE: Tone.BAD,
    Readiness.UNKNOWN: Tone.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Branches:
    """Makes the branches of one Service port on one node."""

    owner: ServicePortName
    protocol: Protocol
    mode: ProxyMode
    sites: Mapping[Endpoint, EndpointSite]
    marker: Marker
    ports: frozenset[str]

    def drawn(self, found: Entry | None, wanted: Entry | None, *, unread: bool) -> Drawn:
        """Return the branches of an entry that was observed, expected, or both."""
        lost = self._lost(found, wanted)
        served = [*self._served(found, wanted, lost), *self._missing(wanted, lost, unread=unread)]
        used = {t.endpoint for e in (found, wanted) if e for t in e.targets}
        idle = [self._idle(site) for site in self._idle_sites(used)]
        if not served and not idle:
            idle = [self._nothing()]
        return _few([*served, *idle])

    def _lost(self, found: Entry | None, wanted: Entry | None) -> dict[str, Endpoint]:
        """Return the endpoints that ought to be served and are not, by the name of their chain."""
        if wanted is None:
            return {}
        lost = wanted.required_endpoints - (found.endpoints if found else frozenset())
        return {endpoint_chain(self.owner, self.protocol, e): e for e in sorted(lost)}

    def _served(
        self, found: Entry | None, wanted: Entry | None, lost: dict[str, Endpoint]
    ) -> Iterator[Branch]:
        """Yield what the rules choose; of `lost` goes what is chosen, but not sent to."""
        allowed = wanted.allowed_endpoints if wanted else frozenset()
        comparable = bool(
            found and wanted and found.endpoints == wanted.endpoints and not wanted.alternatives
        )
        shares = {t.endpoint: t.share for t in wanted.targets} if wanted and comparable else {}
        for target in found.targets if found else ():
            right = shares.get(target.endpoint, target.share)
            notes, tone = [], Tone.GOOD
            if target.endpoint is None:
                notes, tone = [_("sends nowhere")], Tone.BAD
            elif target.endpoint not in allowed:
                notes, tone = [_("not expected")], Tone.BAD
            elif abs(right - target.share) > _SHARE_TOLERANCE:
                notes, tone = [_("expected: {share}", share=share_text(right))], Tone.BAD
            branch = self._branch(target, target.chain, notes, tone)
            if target.endpoint is None:
                meant = self._pod(lost.pop(target.chain, None), _SERVED_TONES)
                branch = replace(branch, pod=meant, delivery=Box("", tone=Tone.MISSING))
            yield branch

    def _missing(
        self, wanted: Entry | None, lost: Mapping[str, Endpoint], *, unread: bool
    ) -> Iterator[Branch]:
        chains = {endpoint: chain for chain, endpoint in lost.items()}
        tone = Tone.UNKNOWN if unread else Tone.MISSING
        for target in wanted.targets if wanted else ():
            if target.endpoint is not None and target.endpoint in chains:
                named = self.mode is ProxyMode.IPTABLES
                yield self._branch(target, chains[target.endpoint] if named else "", [], tone)

    def _branch(self, target: Target, chain: str, notes: list[str], tone: Tone) -> Branch:
        address = str(target.endpoint or "")
        rules = (target.source, target.destination)
        box = Box(
            chain or address or _("no address"),
            tuple(filter(None, (address if chain else "", *notes))),
            tone,
            place=place_of(target.source),
        )
        return Branch(
            pod=self._pod(target.endpoint, _SERVED_TONES),
            share=share_text(target.share),
            chain=self.marker.mark(box, Spot.SERVICE, refs=rules, ports=frozenset({""})),
            delivery=self._marked(Box("", tone=tone), Spot.DELIVERY),
        )

    def _pod(self, endpoint: Endpoint | None, tones: Mapping[Readiness, Tone]) -> Box:
        site = self.sites.get(endpoint) if endpoint else None
        if site is None:
            title = str(endpoint) if endpoint else _("nowhere")
            return Box(title, (), Tone.UNKNOWN if endpoint else Tone.MISSING)
        where = " · ".join(filter(None, (site.node, _(READINESS_WORDS[site.readiness]))))
        name = site.pod.rpartition("/")[2] or str(site.endpoint)
        box = Box(name, (where,), tones[site.readiness])
        return self.marker.mark(box, Spot.ENDPOINTS, pod=site.pod) if site.pod else box

    def _idle_sites(self, used: set[Endpoint | None]) -> Iterator[EndpointSite]:
        for endpoint, site in self.sites.items():
            unused = {Readiness.NOT_READY, Readiness.TERMINATING, Readiness.UNPUBLISHED}
            if site.port == self.owner.port and endpoint not in used and site.readiness in unused:
                yield site

    def _idle(self, site: EndpointSite) -> Branch:
        tones = dict.fromkeys(Readiness, Tone.WARN)
        pod = self._pod(site.endpoint, tones)
        marked = self._marked(pod, Spot.ENDPOINTS)
        marks = tuple(dict.fromkeys((*pod.marks, *marked.marks)))
        notes = (str(site.endpoint), *pod.notes)
        return Branch(Box(pod.title, notes, marked.tone, marks), idle=True)

    def _nothing(self) -> Branch:
        box = Box(_("no endpoint"), (_("nothing to send to"),), Tone.MISSING)
        return Branch(self._marked(box, Spot.ENDPOINTS), idle=True)

    def _marked(self, box: Box, spot: Spot) -> Box:
        return self.marker.mark(box, spot, ports=self.ports)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The branches that are drawn, and what is said of the others."""

    branches: tuple[Branch, ...]
    more: str = ""


def _few(branches: Sequence[Branch]) -> Drawn:
    if len(branches) <= _FULL:
        return Drawn(tuple(branches))
    ranked = sorted(range(len(branches)), key=lambda n: (-_gravity(branches[n]), n))
    kept = sorted(ranked[:_DRAWN])
    others = [branches[n] for n in sorted(ranked[_DRAWN:])]
    states = Counter(b.pod.notes[-1].rpartition(" · ")[2] for b in others if b.pod.notes)
    told = _(", ").join(f"{number:,} {state}" for state, number in states.most_common(3))
    more = _("and {count:,} more", count=len(others))
    more = _("{what}: {told}", what=more, told=told) if told else more
    return Drawn(tuple(branches[n] for n in kept), more)


def _gravity(branch: Branch) -> int:
    boxes = (branch.chain, branch.pod, branch.delivery)
    return max(box.tone.order for box in boxes if box is not None)

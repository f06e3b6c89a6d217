"""A difference put in the order and the words in which it is read, for the terminal and the page alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from analyzer.difference.change import (
    Blind,
    Difference,
    EndpointChange,
    FieldChange,
    FindingState,
    ForwardingChange,
    Lack,
    NodeChange,
    Presence,
    Published,
    ServiceChange,
)
from analyzer.difference.report import DiffReport, DiffSide
from analyzer.difference.treatments import EVEN
from analyzer.language import _, later, plural
from analyzer.model.forwarding import Action, Masquerade
from analyzer.model.source import Ref
from analyzer.model.verdict import Verdict
from analyzer.phrases import listed
from analyzer.report.forwarding_words import ACTION_WORDS, CLIENT_WORDS, FRONTEND_WORDS
from analyzer.report.view import origin_of
from analyzer.report.view_diff_findings import FindingItem, finding_items
from analyzer.report.wording import VERDICT_MARKS, sentence


class Sign(Enum):
    """What became of something, as diff(1) marks it."""

    ADDED = "+"
    REMOVED = "-"
    CHANGED = "~"
    UNKNOWN = "?"
    NOTE = " "


_SIGNS = {
    Presence.ADDED: Sign.ADDED,
    Presence.REMOVED: Sign.REMOVED,
    Presence.CHANGED: Sign.CHANGED,
}
_FIELD_WORDS = {
    "verdict": later("verdict"),
    "action": later("action"),
    "address": later("address"),
    "masquerade": later("masquerading"),
    "affinity": later("affinity"),
    "source ranges": later("source ranges"),
    "shares": later("shares"),
    "proxyMode": later("proxy mode"),
    "backend": later("iptables backend"),
}
"""Names of the comparison; a field of the API is called as the API calls it."""

_MASQUERADE_WORDS = {
    Masquerade.NEVER: later("never"),
    Masquerade.OFF_CLUSTER: later("clients outside the pod network"),
    Masquerade.ALWAYS: later("all clients"),
}
_STATE_WORDS = {
    "ready": later("ready"),
    "not ready": later("not ready"),
    "terminating": later("terminating"),
    "terminating, serving": later("terminating, serving"),
}
_PLACES = 3


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of an item."""

    sign: Sign
    text: str


@dataclass(frozen=True, slots=True)
class DiffItem:
    """Something that differs."""

    sign: Sign
    title: str
    lines: tuple[DiffLine, ...] = ()


@dataclass(frozen=True, slots=True)
class DiffSection:
    """Items of one kind."""

    anchor: str
    title: str
    items: tuple[DiffItem, ...]


@dataclass(frozen=True, slots=True)
class DiffView:
    """Everything that a reader is shown."""

    headline: str
    different: bool
    old: str
    """The old side in one line."""

    new: str
    findings: tuple[FindingItem, ...]
    same: int
    """How many findings are on both sides."""

    sections: tuple[DiffSection, ...]
    """Those with items only, in the order of the document."""


def view_of_diff(diff: DiffReport) -> DiffView:
    """Return what a reader is shown of a difference."""
    found = diff.difference
    sections = (
        DiffSection("nodes", _("Nodes"), tuple(_nodes(found.nodes))),
        DiffSection("services", _("Services"), tuple(_services(found.services))),
        DiffSection("endpoints", _("Endpoints"), tuple(_endpoints(found.endpoints))),
        DiffSection("forwarding", _("Forwarding"), tuple(_forwarding(diff))),
        DiffSection("not-compared", _("Not compared"), tuple(_blind(diff, found.blind))),
    )
    return DiffView(
        headline=_headline(diff),
        different=found.different,
        old=_side(diff.old),
        new=_side(diff.new),
        findings=finding_items(diff),
        same=sum(f.state is FindingState.SAME for f in found.findings),
        sections=tuple(section for section in sections if section.items),
    )


def _headline(diff: DiffReport) -> str:
    found = diff.difference
    if not found.different:
        return _("No difference.")
    told = [*_finding_counts(diff), *_changed_counts(found)]
    if not told:
        told.append(_("no difference in what both sides have"))
    text = _("; ").join((*told, *_blind_count(found)))
    return sentence(f"{text[:1].upper()}{text[1:]}")


def _finding_counts(diff: DiffReport) -> Iterator[str]:
    states = [change.state for change in diff.difference.findings]
    new = sum(s in {FindingState.NEW, FindingState.UNSEEN_IN_OLD} for s in states)
    gone = states.count(FindingState.GONE)
    if diff.of_nodes:
        for number, side in ((gone, diff.old), (new, diff.new)):
            if number:
                yield plural(
                    "{count} finding on {node} only",
                    "{count} findings on {node} only",
                    number,
                    node=side.name,
                )
        return
    if new:
        yield plural("{count} finding is new", "{count} findings are new", new)
    if gone:
        yield plural("{count} finding is gone", "{count} findings are gone", gone)


def _changed_counts(found: Difference) -> Iterator[str]:
    if number := len(found.nodes):
        yield plural("{count} node differs", "{count} nodes differ", number)
    if number := len(found.services):
        yield plural("{count} Service differs", "{count} Services differ", number)
    if number := len(found.endpoints):
        yield plural(
            "endpoints of {count} Service differ", "endpoints of {count} Services differ", number
        )
    if number := len({c.service_port and c.service_port.service for c in found.forwarding}):
        yield plural(
            "{count} Service is forwarded differently",
            "{count} Services are forwarded differently",
            number,
        )


def _blind_count(found: Difference) -> Iterator[str]:
    number = sum(blind.lack is not Lack.BOTH for blind in found.blind)
    if number:
        yield plural(
            "{count} part could not be compared", "{count} parts could not be compared", number
        )


def _side(side: DiffSide) -> str:
    return _("{what}: {told}", what=side.name, told=origin_of(side.report))


# --- nodes and Services ---


def _nodes(changes: Iterable[NodeChange]) -> Iterator[DiffItem]:
    """Yield the nodes; those with the same change are told together."""
    alike: dict[tuple[Presence, tuple[FieldChange, ...]], list[str]] = defaultdict(list)
    for change in changes:
        alike[change.presence, change.fields].append(change.name)
    for (presence, fields), names in alike.items():
        yield DiffItem(_SIGNS[presence], listed(names, 8), _field_lines(fields))


def _services(changes: Iterable[ServiceChange]) -> Iterator[DiffItem]:
    """Yield the Services; those of which only the verdict differs are told together."""
    only: dict[tuple[FieldChange, ...], list[str]] = defaultdict(list)
    for change in changes:
        if [field.field for field in change.fields] == ["verdict"]:
            only[change.fields].append(str(change.service))
        else:
            title = str(change.service)
            yield DiffItem(_SIGNS[change.presence], title, _field_lines(change.fields))
    for fields, names in only.items():
        yield DiffItem(Sign.CHANGED, listed(names, 8), _field_lines(fields))


def _field_lines(fields: Iterable[FieldChange]) -> tuple[DiffLine, ...]:
    return tuple(DiffLine(Sign.NOTE, _field(change)) for change in fields)


def _field(change: FieldChange) -> str:
    old, new = (_value(change.field, value) for value in (change.old, change.new))
    name = _(_FIELD_WORDS.get(change.field, change.field))
    return _("{what}: {told}", what=name, told=f"{old} → {new}")


def _value(field: str, value: str) -> str:
    """Return a value in words; those of the API stay as the API spells them."""
    if not value:
        return _("(none)")
    match field:
        case "verdict":
            return _(VERDICT_MARKS[Verdict(value)].word)
        case "action":
            return _(ACTION_WORDS[Action(value)])
        case "masquerade":
            return _(_MASQUERADE_WORDS[Masquerade(value)])
        case "shares" if value == EVEN:
            return _("even")
        case _:
            return value


# --- endpoints ---


def _endpoints(changes: Iterable[EndpointChange]) -> Iterator[DiffItem]:
    """Yield the Services; those of which pods were only replaced are told together."""
    rollouts = []
    for change in changes:
        if change.added or change.removed or change.changed:
            yield _endpoint_item(change)
        else:
            told = _("{what}: {told}", what=change.service, told=_rollout(change))
            rollouts.append(DiffLine(Sign.NOTE, told))
    if rollouts:
        title = _("Only replaced, as a rollout does: other addresses, same ports and states")
        yield DiffItem(Sign.CHANGED, title, tuple(rollouts))


def _endpoint_item(change: EndpointChange) -> DiffItem:
    lines = [
        *(DiffLine(Sign.REMOVED, _published(p)) for p in change.removed),
        *(DiffLine(Sign.ADDED, _published(p)) for p in change.added),
        *(
            DiffLine(Sign.CHANGED, f"{_published(p.old)} → {_published(p.new)}")
            for p in change.changed
        ),
    ]
    if change.replaced:
        lines.append(DiffLine(Sign.NOTE, _rollout(change)))
    ready = _("{old} ready → {new} ready", old=change.old_ready, new=change.new_ready)
    title = _("{what}: {told}", what=change.service, told=ready)
    return DiffItem(Sign.CHANGED, title, tuple(lines))


def _rollout(change: EndpointChange) -> str:
    workloads = listed(list(dict.fromkeys(pair.old.workload for pair in change.replaced)))
    return plural(
        "{count} pod of {workloads} was replaced",
        "{count} pods of {workloads} were replaced",
        len(change.replaced),
        workloads=workloads,
    )


def _published(item: Published) -> str:
    pod = _("pod {pod}", pod=item.pod) if item.pod else ""
    node = _("node {node}", node=item.node) if item.node else ""
    about = (*item.ports, _(_STATE_WORDS[item.state]), pod, node)
    told = _(", ").join(filter(None, about))
    return _("{what} ({state})", what=item.address, state=told)


# --- forwarding ---


def _forwarding(diff: DiffReport) -> Iterator[DiffItem]:
    """Yield the changes; those of several addresses of a Service that are alike are told together."""
    alike: dict[tuple[object, ...], list[ForwardingChange]] = defaultdict(list)
    for change in diff.difference.forwarding:
        alike[_likeness(change)].append(change)
    for changes in alike.values():
        yield _forwarding_item(diff, changes)


def _likeness(change: ForwardingChange) -> tuple[object, ...]:
    name = change.service_port
    return (
        name.service if name else change.frontend,
        change.presence,
        change.fields,
        tuple(dict.fromkeys(endpoint.address for endpoint in change.lost)),
        tuple(dict.fromkeys(endpoint.address for endpoint in change.gained)),
        tuple(place.node for place in change.observed),
        tuple(place.node for place in change.expected),
    )


def _forwarding_item(diff: DiffReport, changes: Sequence[ForwardingChange]) -> DiffItem:
    first = changes[0]
    name = first.service_port
    title = str(name.service) if name else _("of no known Service")
    lines = [DiffLine(Sign.NOTE, _frontend(change)) for change in changes]
    lines += _field_lines(first.fields)
    lost = dict.fromkeys(str(endpoint) for change in changes for endpoint in change.lost)
    gained = dict.fromkeys(str(endpoint) for change in changes for endpoint in change.gained)
    lines += [DiffLine(Sign.REMOVED, text) for text in lost]
    lines += [DiffLine(Sign.ADDED, text) for text in gained]
    lines.append(DiffLine(Sign.NOTE, _where(diff, first)))
    lines += [DiffLine(Sign.NOTE, text) for text in _places(diff, first)]
    return DiffItem(_SIGNS[first.presence], title, tuple(lines))


def _frontend(change: ForwardingChange) -> str:
    frontend, name = change.frontend, change.service_port
    host = f"[{frontend.address}]:" if ":" in frontend.address else f"{frontend.address}:"
    port = f"{host if frontend.address else ''}{frontend.port}/{frontend.protocol.value}"
    of_port = f" ({name.port})" if name and name.port else ""
    kind, clients = _(FRONTEND_WORDS[frontend.kind]), _(CLIENT_WORDS[change.clients])
    return _(", ").join((f"{kind} {port}{of_port}", clients))


def _where(diff: DiffReport, change: ForwardingChange) -> str:
    if diff.of_nodes:
        return _where_between_nodes(change)
    observed = [place.node for place in change.observed]
    expected = [place.node for place in change.expected]
    both = [node for node in observed if node in expected]
    own = [node for node in observed if node not in expected]
    unread = {blind.node for blind in diff.difference.blind}
    due = [node for node in expected if node not in observed and node not in unread]
    unseen = [node for node in expected if node not in observed and node in unread]
    told = (
        (both, later("in the rules of {nodes}, as the API objects call for")),
        (own, later("in the rules of {nodes}; the API objects call for no change")),
        (due, later("called for by the API objects on {nodes}, not seen in the rules there")),
        (unseen, later("called for by the API objects on {nodes}, whose rules were not compared")),
    )
    return _("; ").join(_(words, nodes=listed(nodes, 5)) for nodes, words in told if nodes)


def _where_between_nodes(change: ForwardingChange) -> str:
    if change.observed and change.expected:
        return _("in the rules, as the API objects call for")
    if change.observed:
        return _("in the rules; the API objects call for no difference")
    return _("called for by the API objects, not seen in the rules")


def _places(diff: DiffReport, change: ForwardingChange) -> Iterator[str]:
    for place in change.observed[:_PLACES]:
        old = _rule(diff.old, place.old_chain, place.old_source)
        new = _rule(diff.new, place.new_chain, place.new_source)
        yield " → ".join(filter(None, (old, new)))


def _rule(side: DiffSide, chain: str, source: Ref | None) -> str:
    if source is None:
        return ""
    quote = side.quotes[source]
    return f"{chain} {quote.path}:{quote.line}".strip()


# --- what could not be compared ---


def _blind(diff: DiffReport, blind: Iterable[Blind]) -> Iterator[DiffItem]:
    """Yield what was not compared; what has the same reason is told together."""
    alike: dict[tuple[Lack, str], list[Blind]] = defaultdict(list)
    for item in blind:
        alike[item.lack, item.reason].append(item)
    names = {Lack.OLD: diff.old.name, Lack.NEW: diff.new.name, Lack.BOTH: _("both sides")}
    for (lack, reason), items in alike.items():
        lines = [DiffLine(Sign.NOTE, _("{what}: {told}", what=names[lack], told=reason))]
        commands = dict.fromkeys(item.command for item in items if item.command)
        lines += [DiffLine(Sign.NOTE, command) for command in commands]
        title = listed([item.subject for item in items], 6)
        yield DiffItem(Sign.UNKNOWN, title, tuple(lines))

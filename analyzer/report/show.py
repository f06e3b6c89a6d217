"""A node's forwarding as a tree: from the address that a client uses down to each endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analyzer.language import _, later
from analyzer.model.forwarding import (
    Action,
    Entry,
    ForwardingTable,
    Masquerade,
    Target,
)
from analyzer.model.source import ObjectRef, Ref
from analyzer.report.forwarding_pairs import Pair, pairs_by_owner
from analyzer.report.forwarding_words import (
    ACTION_WORDS,
    CLIENT_WORDS,
    affinity_text,
    masquerade_text,
    ranges_text,
    share_text,
)
from analyzer.report.tree import Branch, draw
from analyzer.report.visible import visible

_MISSING = later("- expected: {what}")
_SURPLUS = later("+ not expected: {what}")
_SHARE_TOLERANCE = 0.005
"""A share that differs by less from the expected one is taken for the same."""


def place_of(ref: Ref) -> str:
    """Return `file:line`, or for a field of an object its path in the document."""
    if isinstance(ref, ObjectRef):
        field = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in ref.field)
        item = f".items[{ref.index}]" if ref.index >= 0 else ""
        return f"{ref.path} ${item}{field}"
    return f"{ref.path}:{ref.line}"


def render_forwarding(
    *,
    node_name: str,
    observed: ForwardingTable | None,
    expected: ForwardingTable,
    reason: str = "",
    place: Callable[[Ref], str] = place_of,
) -> str:
    """Return what a node's rules do beside what they should do, one tree for each Service port, and a blank line.

    `observed`: None where the rules were not read, for the `reason`; only what is expected is shown then.
    `place`: how a reference is written.
    """
    title = f"{visible(node_name)}, {expected.family.value}"
    if observed is None:
        title += _(
            "\nexpected only: {text}",
            text=visible(reason or _("the rules of this node were not read")),
        )
    comparison = _Comparison(place, only_expected=observed is None)
    trees = []
    for owner, pairs in pairs_by_owner(
        observed or ForwardingTable(expected.family), expected
    ).items():
        branches = tuple(branch for pair in pairs if (branch := comparison.branch(pair)))
        if branches:
            trees.append("\n".join(draw(Branch(owner, branches))))
    nothing = [_("no Service is served here, and none should be")]
    return "\n\n".join((title, *(trees or nothing))) + "\n\n"


@dataclass(frozen=True, slots=True)
class _Comparison:
    place: Callable[[Ref], str]
    only_expected: bool

    def branch(self, pair: Pair) -> Branch | None:
        """Return the tree of a pair; None where the rules may do without the entry, and do."""
        found, wanted = pair.observed, pair.expected
        title = _(", ").join((str(pair.frontend), _(CLIENT_WORDS[pair.clients])))
        if found is None:
            assert wanted is not None
            if wanted.optional and not self.only_expected:
                return None
            mark = "" if self.only_expected else _MISSING
            return Branch(_marked(mark, self._entry(title, wanted)), tuple(self._all(wanted, mark)))
        if wanted is None:
            title = _(_SURPLUS, what=self._entry(title, found))
            return Branch(title, tuple(self._all(found, "")))
        return Branch(self._entry(title, found), tuple(self._compared(found, wanted)))

    def _entry(self, title: str, entry: Entry) -> str:
        chain = f"  {visible(entry.chain)}" if entry.chain else ""
        told = f"{_(ACTION_WORDS[entry.action])}{chain}  {visible(self.place(entry.source))}"
        return _("{what}: {told}", what=title, told=told)

    def _all(self, entry: Entry, mark: str) -> Iterator[Branch]:
        for text in _terms(entry):
            yield Branch(_marked(mark, text))
        for target in entry.targets:
            yield Branch(_marked(mark, self._target(target)))

    def _compared(self, found: Entry, wanted: Entry) -> Iterator[Branch]:
        if found.action not in wanted.allowed_actions:
            told = f"{_(ACTION_WORDS[wanted.action])}  {visible(self.place(wanted.source))}"
            yield Branch(_(_MISSING, what=told))
        if found.service_port and found.service_port != wanted.service_port:
            owner = visible(str(found.service_port))
            yield Branch(_(_SURPLUS, what=_("its chain belongs to {owner}", owner=owner)))
        yield from self._compared_terms(found, wanted)
        comparable = found.endpoints == wanted.endpoints and not wanted.alternatives
        shares = {t.endpoint: t.share for t in wanted.targets} if comparable else {}
        for target in found.targets:
            text = self._target(target)
            share = shares.get(target.endpoint, target.share)
            if target.endpoint not in wanted.allowed_endpoints:
                text = _(_SURPLUS, what=text)
            elif abs(share - target.share) > _SHARE_TOLERANCE:
                text += f"  {_(_MISSING, what=share_text(share))}"
            yield Branch(text)
        for target in wanted.targets:
            if target.endpoint in wanted.required_endpoints - found.endpoints:
                yield Branch(_(_MISSING, what=self._target(target)))
        for other in wanted.alternatives:
            yield Branch(
                _(
                    "also right: {action} {reason}",
                    action=_(ACTION_WORDS[other.action]),
                    reason=visible(other.reason),
                ).rstrip()
            )

    def _compared_terms(self, found: Entry, wanted: Entry) -> Iterator[Branch]:
        for text in _terms(found):
            yield Branch(text)
        differing = (
            (masquerade_text, found.masquerade not in {None, wanted.masquerade}),
            (affinity_text, found.affinity_seconds != wanted.affinity_seconds),
            (ranges_text, found.source_ranges != wanted.source_ranges),
        )
        if found.action is Action.FORWARD and wanted.action is Action.FORWARD:
            for describe, differs in differing:
                if differs:
                    yield Branch(_(_MISSING, what=visible(describe(wanted))))

    def _target(self, target: Target) -> str:
        where = str(target.endpoint) if target.endpoint else _("nowhere: no address to send to")
        chain = f"  {visible(target.chain)}" if target.chain else ""
        place = self.place(target.source)
        if target.destination is not None:
            file, _colon, line = self.place(target.destination).rpartition(":")
            place += f",{line}" if place.startswith(f"{file}:") else f", {file}:{line}"
        return f"{share_text(target.share)}  {where}{chain}  {visible(place)}"


def _marked(mark: str, text: str) -> str:
    return _(mark, what=text) if mark else text


def _terms(entry: Entry) -> Iterator[str]:
    """Yield what is said of an entry that forwards, apart from its targets."""
    if entry.action is not Action.FORWARD:
        return
    if entry.masquerade not in {None, Masquerade.NEVER}:
        yield masquerade_text(entry)
    if entry.affinity_seconds is not None:
        yield affinity_text(entry)
    if entry.source_ranges is not None:
        yield visible(ranges_text(entry))

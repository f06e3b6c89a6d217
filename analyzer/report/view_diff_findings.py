"""Findings and their fate as a reader meets them: causes, with how many others follow from each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.difference.change import FindingChange, FindingState
from analyzer.difference.report import DiffReport
from analyzer.findings import Finding
from analyzer.language import _, later
from analyzer.report.view_findings import Shown

_ORDER = (
    FindingState.NEW,
    FindingState.UNSEEN_IN_OLD,
    FindingState.UNSEEN_IN_NEW,
    FindingState.GONE,
    FindingState.SAME,
)
_STATE_WORDS = {
    FindingState.NEW: later("new"),
    FindingState.GONE: later("gone"),
    FindingState.SAME: later("same"),
    FindingState.UNSEEN_IN_OLD: later("not looked for in the old one"),
    FindingState.UNSEEN_IN_NEW: later("not looked for in the new one"),
}


_Key = tuple[FindingState, str]
"""A fate, and the id of a finding in the report that has it."""


@dataclass(frozen=True, slots=True)
class FindingItem:
    """A finding that no other one of the same fate explains."""

    state: FindingState
    word: str
    """What became of it."""

    shown: Shown
    reason: str
    """Why a side could not be examined for it; empty where both could."""

    explained: int
    """How many others of the same fate follow from it."""


def finding_items(diff: DiffReport) -> tuple[FindingItem, ...]:
    """Return the findings: what is new first, the gravest first within a fate."""
    changes = diff.difference.findings
    by_key = {_key(change): change for change in changes}
    causes = [_cause(change, by_key) for change in changes]
    explained = Counter(causes)
    items = [
        FindingItem(
            state=change.state,
            word=_word(diff, change.state),
            shown=Shown(_finding(change), (diff.new if change.new else diff.old).report),
            reason=change.reason,
            explained=explained[_key(change)],
        )
        for change, cause in zip(changes, causes, strict=True)
        if cause is None
    ]
    return tuple(sorted(items, key=lambda i: (_ORDER.index(i.state), i.shown.severity.order)))


def _word(diff: DiffReport, state: FindingState) -> str:
    if diff.of_nodes and state is FindingState.NEW:
        return _("only on {node}", node=diff.new.name)
    if diff.of_nodes and state is FindingState.GONE:
        return _("only on {node}", node=diff.old.name)
    return _(_STATE_WORDS[state])


def _finding(change: FindingChange) -> Finding:
    finding = change.new or change.old
    assert finding is not None
    return finding


def _key(change: FindingChange) -> _Key:
    return change.state, _finding(change).id


def _cause(change: FindingChange, by_key: Mapping[_Key, FindingChange]) -> _Key | None:
    """Return the finding of the same fate that explains this one in the end; None for a root."""
    seen = {_finding(change).id}
    root: _Key | None = None
    cause = _finding(change).caused_by
    while cause and cause not in seen and (change.state, cause) in by_key:
        seen.add(cause)
        root = change.state, cause
        cause = _finding(by_key[root]).caused_by
    return root

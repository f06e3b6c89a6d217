"""From the branches of a trace to its outcomes: chances add up, an open question leaves what both answers share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from analyzer.language import _
from analyzer.simulate.branch import Branch, Cause, Question, Weight
from analyzer.simulate.outcome import Backend, Outcome, Trace, Verdict
from analyzer.simulate.walk import KNOWN_CLIENT, NEW_CLIENT


@dataclass(frozen=True, slots=True)
class Leaf:
    """The end of one branch."""

    branch: Branch
    verdict: Verdict
    cause: Cause | None
    reason: str
    backend: Backend | None = None
    source: str = ""

    @property
    def key(self) -> tuple[Verdict, Backend | None, str, str]:
        """What makes two ends the same for the client and whoever looks for the cause."""
        return self.verdict, self.backend, self.source, self.reason


class _Weighed(NamedTuple):
    leaf: Leaf
    weight: Fraction


_Distribution = dict[tuple[object, ...], _Weighed]


def fold(leaves: Iterable[Leaf]) -> Trace:
    """Return the trace that the ends of all branches make up."""
    weighed = _distribution(list(leaves), 0).values()
    ordered = sorted(weighed, key=lambda w: (-w.weight, w.leaf.verdict.value, str(w.leaf.backend)))
    outcomes = tuple(_outcome(w) for w in ordered if w.weight)
    doubts = [o.reason for o in outcomes if o.verdict is Verdict.INCONCLUSIVE]
    taken = sorted(
        {a for w in ordered if w.weight for a in w.leaf.branch.assumed}, key=lambda a: a.text
    )
    doubts += [_granted(a.text) for a in taken if a.weight is Weight.DECISIVE]
    several = len({(o.verdict, o.backend) for o in outcomes}) > 1
    beyond = [
        _granted(a.text)
        for a in taken
        if a.weight is Weight.BEYOND and (several or a.text != NEW_CLIENT)
    ]
    reasons = dict.fromkeys((*doubts, *beyond))
    return Trace(outcomes, not doubts, "; ".join(reasons), exact=not beyond)


def _granted(text: str) -> str:
    return _("it is taken for granted that {text}", text=_said(text))


def _said(text: str) -> str:
    return _(text) if text in {NEW_CLIENT, KNOWN_CLIENT} else text


def _distribution(leaves: list[Leaf], depth: int) -> _Distribution:
    """Weigh the ends of branches that share their first `depth` suppositions."""
    found: _Distribution = {}
    asked: dict[Question, tuple[list[Leaf], list[Leaf]]] = {}
    for leaf in leaves:
        suppositions = leaf.branch.suppositions
        if len(suppositions) <= depth:
            _add(found, leaf, leaf.branch.chance)
        else:
            question, answer = suppositions[depth]
            asked.setdefault(question, ([], []))[not answer].append(leaf)
    for question, (yes, no) in asked.items():
        _add_shared(found, question, _distribution(yes, depth + 1), _distribution(no, depth + 1))
    return found


def _add_shared(
    found: _Distribution, question: Question, yes: _Distribution, no: _Distribution
) -> None:
    """Add what comes out either way; the rest hangs on the question."""
    open_weight = sum((w.weight for w in yes.values()), Fraction(0))
    for key, (leaf, weight) in yes.items():
        shared = min(weight, no[key].weight) if key in no else Fraction(0)
        if shared:
            _add(found, leaf, shared)
            open_weight -= shared
    if open_weight > 0:
        differing = [w.leaf for key, w in (yes | no).items() if key not in yes or key not in no]
        shown = next(iter(differing), next(iter(yes.values())).leaf)
        reason = _("not known: {text}", text=question.text)
        _add(found, Leaf(shown.branch, Verdict.INCONCLUSIVE, Cause.UNKNOWN, reason), open_weight)


def _add(found: _Distribution, leaf: Leaf, weight: Fraction) -> None:
    before = found.get(leaf.key)
    if before is None:
        found[leaf.key] = _Weighed(leaf, weight)
    else:
        found[leaf.key] = _Weighed(before.leaf, before.weight + weight)


def _outcome(weighed: _Weighed) -> Outcome:
    leaf = weighed.leaf
    trail = leaf.branch.trail
    return Outcome(
        verdict=leaf.verdict,
        probability=weighed.weight,
        backend=leaf.backend,
        source=leaf.source,
        path=() if trail is None else trail.steps(),
        cause=leaf.cause,
        reason=leaf.reason,
        assumed=tuple(sorted(_said(a.text) for a in leaf.branch.assumed)),
    )

"""Splitting a branch where the bundle does not tell how a packet's way goes on."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from analyzer.language import _
from analyzer.model.source import Ref
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Question, Supposition

_DEEPEST = 24
"""More open questions than this on one way give no answer that anybody could use."""


_MOST = 400


class Split(NamedTuple):
    """Both answers to a question; one is None where the other is already taken for granted."""

    yes: Branch | None
    no: Branch | None
    refused: Ending | None = None
    """Set, and nothing else, where there are too many open questions."""


class Budget:
    """How many questions may still be asked in one trace: unknown matches multiply."""

    def __init__(self) -> None:
        self._left = _MOST

    def renew(self) -> None:
        """Begin another trace."""
        self._left = _MOST

    def ask(self, branch: Branch, text: str, source: Ref | None = None) -> Split:
        """Split a branch by a question that has not been asked before."""
        if self._left <= 0 or len(branch.suppositions) >= _DEEPEST:
            return Split(None, None, _too_many(branch, text))
        self._left -= 1
        question = Question(text, source)
        return Split(_suppose(branch, question, True), _suppose(branch, question, False))

    def ask_once(self, branch: Branch, text: str, source: Ref | None = None) -> Split:
        """Split a branch by a question that has the same answer throughout a trace."""
        for question, answer in branch.suppositions:
            if question.text == text:
                return Split(branch if answer else None, None if answer else branch)
        return self.ask(branch, text, source)


def _suppose(branch: Branch, question: Question, answer: bool) -> Branch:
    taken = (*branch.suppositions, Supposition(question, answer))
    return msgspec.structs.replace(branch, suppositions=taken)


def _too_many(branch: Branch, text: str) -> Ending:
    reason = _("too much is unknown on this way; last: {text}", text=text)
    return Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)

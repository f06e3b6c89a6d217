"""How far the labels of a pod are from a selector that does not match them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum

_SHORTEST = 3
"""Characters from which on a value says something: flags and digits are everywhere."""

_LONGEST = 63
"""Characters that a label's value can have; comparing longer ones costs the square of their length."""

_LIKENESS = 0.7
_NAMES_OF_PROGRAMS = frozenset({"app", "k8s-app", "name", "run", "application"})


class Deviation(Enum):
    """How labels differ from one pair of a selector."""

    MOVED = "the value stands under another key"
    ALIKE = "the value is similar"
    OTHER = "the value is another one"
    LACKING = "there is no such key"


@dataclass(frozen=True, slots=True)
class LabelStep:
    """One pair of a selector, and what the labels have in its stead."""

    key: str
    deviation: Deviation
    actual_key: str
    """Key under which the labels have the value or another one; the selector's own where it is lacking."""

    @property
    def length(self) -> float:
        """How far off it is; a pair that is quite another one counts 1."""
        return {Deviation.MOVED: 0.1, Deviation.ALIKE: 0.5}.get(self.deviation, 1.0)


def steps_to_labels(
    selector: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[LabelStep, ...] | None:
    """Return the steps from a selector to labels that are probably meant, or None for those of something else.

    Meant is what has the pair that names the program (`app`, `name`, …) or something like it.
    """
    steps = tuple(
        _step(key, value, labels)
        for key, value in sorted(selector.items())
        if labels.get(key) != value
    )
    kinds = {s.deviation for s in steps}
    if any(s.deviation is Deviation.OTHER and _names_program(s.key) for s in steps):
        return None
    equal = set(selector) - {s.key for s in steps}
    alike = bool(kinds & {Deviation.MOVED, Deviation.ALIKE})
    if any(_names_program(key) for key in equal) or alike:
        return steps
    return steps if equal and Deviation.OTHER not in kinds else None


def _step(key: str, value: str, labels: Mapping[str, str]) -> LabelStep:
    if len(value) >= _SHORTEST and value.lower() not in {"true", "false"}:
        moved = next((k for k, v in sorted(labels.items()) if v == value), None)
        if moved is not None:
            return LabelStep(key, Deviation.MOVED, moved)
    if key not in labels:
        return LabelStep(key, Deviation.LACKING, key)
    alike = _alike(labels[key].lower(), value.lower())
    return LabelStep(key, Deviation.ALIKE if alike else Deviation.OTHER, key)


def _alike(one: str, other: str) -> bool:
    """Tell whether two values differ like a slip, or like a longer and a shorter name."""
    if max(len(one), len(other)) > _LONGEST:
        return False
    shorter, longer = sorted((one, other), key=len)
    beginning = len(shorter) >= _SHORTEST and longer.startswith(shorter)
    return beginning or SequenceMatcher(None, one, other).ratio() >= _LIKENESS


def _names_program(key: str) -> bool:
    return key.rpartition("/")[2] in _NAMES_OF_PROGRAMS

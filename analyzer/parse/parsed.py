"""What a parser gives back: what it read, and what it could not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from analyzer.model.source import ParseProblem

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T_co]):
    """The records of one file beside the places in it that could not be read."""

    value: T_co
    """Records in file order, or the one record of the file."""

    problems: tuple[ParseProblem, ...] = ()
    """In file order; empty where everything was read."""

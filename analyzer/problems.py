"""What a check says about a cluster: a problem with its evidence, or what it could not decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.language import _
from analyzer.model.forwarding import ServiceKey
from analyzer.model.severity import Severity
from analyzer.model.source import Ref


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line of the bundle that shows what a finding claims."""

    source: Ref
    note: str = ""
    """What the line shows, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a probe found wrong. The subject of the check fills in service or node where they are not given."""

    message: str
    """One sentence: what is wrong, with the names and values that matter."""

    evidence: tuple[Evidence, ...]
    """At least one line that shows it."""

    remedy: str
    """What to do or type, for this very case."""

    service: ServiceKey | None = None
    affects: frozenset[ServiceKey] = frozenset()
    """The Services that it concerns, where it has no single one: two of one address, those of a node's pods."""

    port: str | None = None
    """Name or number of the Service port, where only one port is meant."""

    node: str | None = None
    pod: str | None = None
    """`namespace/name`."""

    severity: Severity | None = None
    """Where it differs from the check's own."""

    partial: bool = False
    """True when some clients of the subject still get an answer although the severity is error."""

    def __post_init__(self) -> None:
        """Refuse a claim without proof."""
        if not self.evidence:
            raise ValueError(f"a finding needs evidence: {self.message}")


@dataclass(frozen=True, slots=True)
class Part:
    """What one finding about several Services says of one of them."""

    service: ServiceKey | None
    """None where it is not known whose it is."""

    text: str
    evidence: tuple[Evidence, ...]


def gathered(
    lead: str, parts: Sequence[Part], remedy: str, severity: Severity | None = None
) -> Problem:
    """Make one problem of what is wrong with several Services for one reason; `parts` is not empty."""
    named = frozenset(part.service for part in parts if part.service is not None)
    told = _("; ").join(dict.fromkeys(part.text for part in parts[:_TOLD]))
    more = _("; and {count} more", count=len(parts) - _TOLD) if len(parts) > _TOLD else ""
    return Problem(
        message=_("{what}: {told}", what=lead, told=f"{told}{more}"),
        evidence=tuple(e for part in parts[:_SHOWN] for e in part.evidence),
        remedy=remedy,
        service=next(iter(named)) if len(named) == 1 else None,
        affects=named,
        severity=severity,
    )


_TOLD = 3
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """What a probe could not decide, and the file that would decide it."""

    reason: str
    missing: tuple[str, ...] = ()
    """Paths in the bundle."""

    command: str = ""
    """Command that produces the (first) file."""

    service: ServiceKey | None = None
    node: str | None = None
    pod: str | None = None


Outcome = Problem | Undecided

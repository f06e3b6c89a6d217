"""The two states that are compared."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.difference.change import Blind, Lack
from analyzer.findings import Report
from analyzer.model.inputs import Input
from analyzer.snapshot import Availability, ClusterView, FileState


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    cluster: ClusterView
    report: Report


@dataclass(frozen=True, slots=True)
class Sides:
    """Both."""

    old: Side
    new: Side

    def lacking(self, subject: str, needed: Input) -> Blind | None:
        """Return what is not compared for want of a cluster-wide input; None where both sides have all of it.

        A dump that is cut off has what it has: only what is absent from it cannot be judged.
        """
        old, new = (side.cluster.availability(needed) for side in (self.old, self.new))
        found = [state for state in (old, new) if not whole(state)]
        if not found:
            return None
        lack = Lack.BOTH if len(found) > 1 else Lack.OLD if found[0] is old else Lack.NEW
        return Blind(subject, lack, found[0].reason, needed.command())


def whole(state: FileState) -> bool:
    """Tell whether all of an input is there."""
    return state.availability is Availability.PRESENT


def tells_of(state: FileState, namespace: str) -> bool:
    """Tell whether what is absent from a dump is absent from the cluster, in this namespace."""
    if state.availability is Availability.PARTIAL:
        return bool(state.namespaces) and namespace not in state.namespaces
    return whole(state)

"""`svcbundle diff`: what changed between two bundles, or between two nodes of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analyzer.bundle.reader import Bundle
from analyzer.difference import Difference, Side, Sides, compare, compare_nodes
from analyzer.difference.report import DiffReport, DiffSide, places
from analyzer.examination import Defect
from analyzer.findings import Quote
from analyzer.load import load
from analyzer.model.source import Ref
from analyzer.pipeline import Question, analyse_cluster, nodes_named
from analyzer.quotation import quote


@dataclass(frozen=True, slots=True)
class Diffing:
    """A difference, and where svcbundle itself failed."""

    report: DiffReport
    defects: tuple[Defect, ...]


def diff_bundles(
    old: Bundle, new: Bundle, question: Question, notify: Callable[[str], None]
) -> Diffing:
    """Compare two bundles; `notify` is told what is being done."""
    was, old_defects = _side(old, question, notify)
    is_, new_defects = _side(new, question, notify)
    difference = compare(Sides(was, is_))
    report = DiffReport(
        DiffSide(old.name, was.report, _quotes(old, difference, 0)),
        DiffSide(new.name, is_.report, _quotes(new, difference, 1)),
        of_nodes=False,
        difference=difference,
    )
    return Diffing(report, (*old_defects, *new_defects))


def diff_nodes(
    bundle: Bundle, names: tuple[str, str], question: Question, notify: Callable[[str], None]
) -> Diffing:
    """Compare two nodes of a bundle. Raises `UsageError` for a node that it does not have."""
    side, defects = _side(bundle, question, notify)
    nodes_named(side.cluster, names)
    old, new = (side.cluster.nodes[name] for name in names)
    difference = compare_nodes(side, old, new)
    report = DiffReport(
        DiffSide(names[0], side.report, _quotes(bundle, difference, 0)),
        DiffSide(names[1], side.report, _quotes(bundle, difference, 1)),
        of_nodes=True,
        difference=difference,
    )
    return Diffing(report, defects)


def _side(
    bundle: Bundle, question: Question, notify: Callable[[str], None]
) -> tuple[Side, tuple[Defect, ...]]:
    cluster = load(bundle)
    analysis = analyse_cluster(bundle, cluster, question, notify)
    return Side(cluster, analysis.report), analysis.defects


def _quotes(bundle: Bundle, difference: Difference, side: int) -> Mapping[Ref, Quote]:
    return quote(bundle, [ref for pair in places(difference) if (ref := pair[side]) is not None])

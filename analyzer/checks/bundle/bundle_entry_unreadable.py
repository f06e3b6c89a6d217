"""The check `bundle-entry-unreadable`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.bundle import EntryProblem, EntryTrouble
from analyzer.snapshot import ClusterView

_SHOWN = 5


@check(station=Station.BUNDLE, severity=Severity.WARNING, advisory=True)
def bundle_entry_unreadable(cluster: ClusterView) -> Iterator[Problem]:
    """
    A file, or a place in it, could not be read as what it should hold.

    ## Why it matters
    What stands there took no part in the analysis. Results that depend on the whole file are given as
    not evaluated.

    ## How to put it right
    Collect the file again with the command that the report names, and do not edit or paste it.
    """
    by_path: dict[str, list[EntryProblem]] = defaultdict(list)
    for entry in cluster.entry_problems(EntryTrouble.UNREADABLE):
        by_path[entry.source.path].append(entry)
    for path, entries in sorted(by_path.items()):
        more = f" and {len(entries) - 1} more places" if len(entries) > 1 else ""
        yield Problem(
            message=f"{entries[0].message}{more}",
            evidence=tuple(Evidence(e.source, e.message) for e in entries[:_SHOWN]),
            remedy=f"Collect {path} again.",
        )

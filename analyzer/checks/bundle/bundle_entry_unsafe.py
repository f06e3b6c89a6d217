"""The check `bundle-entry-unsafe`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.bundle import EntryTrouble
from analyzer.snapshot import ClusterView


@check(station=Station.BUNDLE, severity=Severity.WARNING, advisory=True)
def bundle_entry_unsafe(cluster: ClusterView) -> Iterator[Problem]:
    """
    The bundle holds an entry that is not read because its name, kind or size is not allowed.

    ## Why it matters
    An honest collector writes no such entry: absolute paths, `..`, links that leave the bundle, devices,
    or data that unpacks to many times its size. What it holds takes no part in the analysis.

    ## How to put it right
    Ask who made the bundle how it was made. A file that is only large can be let in by the option that
    the message names.
    """
    for entry in cluster.entry_problems(EntryTrouble.UNSAFE):
        yield Problem(
            message=entry.message,
            evidence=(Evidence(entry.source, "refused entry"),),
            remedy="Have the bundle collected again, or leave the entry out and repack it.",
        )

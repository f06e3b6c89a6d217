"""The check `bundle-entry-altered`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.model.bundle import EntryTrouble
from analyzer.snapshot import ClusterView


@check(station=Station.BUNDLE, severity=Severity.WARNING, advisory=True)
def bundle_entry_altered(cluster: ClusterView) -> Iterator[Problem]:
    """
    An entry is not what was collected: its size or checksum differs from the manifest.

    ## Why it matters
    The file was read and used, but somebody or something changed it after it was collected: a finding
    from it is about the file, not surely about the cluster.

    ## How to put it right
    Use the bundle as the collector wrote it. Where names were replaced on purpose, remove the manifest.
    """
    for entry in cluster.entry_problems(EntryTrouble.ALTERED):
        yield Problem(
            message=entry.message,
            evidence=(Evidence(entry.source, "altered entry"),),
            remedy="Compare with the bundle as it was sent, or have it collected again.",
        )

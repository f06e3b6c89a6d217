"""The check `bundle-entry-altered`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _
from analyzer.model.bundle import EntryProblem, EntryTrouble
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import shortened
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView

_SHOWN = 3


@check(
    station=Station.BUNDLE,
    severity=Severity.WARNING,
    advisory=True,
    references=("https://www.rfc-editor.org/rfc/rfc6234",),
)
def bundle_entry_altered(cluster: ClusterView) -> Iterator[Problem]:
    """
    An entry is not what was collected: its size or checksum differs from the manifest.

    ## Why it matters
    The file was read and used, but somebody or something changed it after it was collected: a finding
    from it is about the file, not surely about the cluster.

    ## How to put it right
    Use the bundle as the collector wrote it. Where names were replaced on purpose, remove the manifest.
    """
    entries = cluster.entry_problems(EntryTrouble.ALTERED)
    if not entries:
        return
    told = "; ".join(shortened(entry.message) for entry in entries[:_SHOWN])
    more = _("; and {count:,} more", count=len(entries) - _SHOWN) if len(entries) > _SHOWN else ""
    what = (
        _("a file changed")
        if len(entries) == 1
        else _("{count:,} files changed", count=len(entries))
    )
    yield Problem(
        message=_("{what} since collection: {told}{more}", what=what, told=told, more=more),
        evidence=tuple(_evidence(entry) for entry in entries[:_SHOWN]),
        remedy=_("Compare with the bundle as it was sent, or have it collected again."),
    )


def _evidence(entry: EntryProblem) -> Evidence:
    if entry.stated is None:
        return Evidence(entry.source, _("the file"))
    field = "sha256" if "SHA-256" in entry.message else "bytes"
    return Evidence(
        entry.stated.at(field), _("what {path} had when it was collected", path=entry.source.path)
    )

"""The check `bundle-entry-unsafe`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _
from analyzer.model.bundle import EntryTrouble
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
    references=("https://cwe.mitre.org/data/definitions/22.html",),
)
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
    entries = cluster.entry_problems(EntryTrouble.UNSAFE)
    if not entries:
        return
    told = "; ".join(shortened(entry.message) for entry in entries[:_SHOWN])
    more = _("; and {count:,} more", count=len(entries) - _SHOWN) if len(entries) > _SHOWN else ""
    what = (
        _("an entry was") if len(entries) == 1 else _("{count:,} entries were", count=len(entries))
    )
    yield Problem(
        message=_("{what} not read: {told}{more}", what=what, told=told, more=more),
        evidence=tuple(
            Evidence(entry.stated or entry.source, _("refused entry")) for entry in entries[:_SHOWN]
        ),
        remedy=_("Have the bundle collected again, or leave these entries out and repack it."),
    )

"""The check `bundle-entry-unreadable`."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from analyzer.check import check
from analyzer.language import _, plural
from analyzer.model.bundle import EntryProblem, EntryTrouble
from analyzer.model.inputs import Input, Scope
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.phrases import listed
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import ClusterView

_PLACES = 5
_FILES = 20
"""Files that get a finding each; the others are named together."""


@check(
    station=Station.BUNDLE,
    severity=Severity.WARNING,
    advisory=True,
    references=("https://kubernetes.io/docs/tasks/debug/",),
)
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
    paths = sorted(by_path)
    for path in paths[:_FILES]:
        yield _of_file(path, by_path[path])
    if rest := paths[_FILES:]:
        yield Problem(
            message=_(
                "{files} could not be read as a whole: {rest}",
                files=plural("{count:,} more file", "{count:,} more files", len(rest)),
                rest=listed(rest),
            ),
            evidence=tuple(_evidence(by_path[path][0]) for path in rest[:_PLACES]),
            remedy=_("Have the bundle collected again."),
        )


def _of_file(path: str, entries: Sequence[EntryProblem]) -> Problem:
    more = len(entries) - 1
    told = (
        _(
            ", and {places} in it",
            places=plural("{count:,} more place", "{count:,} more places", more),
        )
        if more
        else ""
    )
    return Problem(
        message=f"{entries[0].message}{told}",
        evidence=tuple(_evidence(entry) for entry in entries[:_PLACES]),
        remedy=_remedy(path),
    )


def _evidence(entry: EntryProblem) -> Evidence:
    if entry.stated is None:
        return Evidence(entry.source, _("not read"))
    return Evidence(entry.stated.at("path"), _("the manifest lists it"))


def _remedy(path: str) -> str:
    """Return the command that makes the file anew, and where to type it."""
    parts = path.split("/")
    names = (parts[1], parts[1], parts[2]) if len(parts) > 2 else ("", "", "")  # noqa: PLR2004 - node, or namespace and pod
    found = next((i for i in Input if i.path(*names) == path or _alternative(i, parts)), None)
    if found is None:
        return _("Have {path} collected again.", path=path)
    command = found.command(*(shlex.quote(name) for name in names))
    on_node = found.value.scope is Scope.NODE and not command.startswith("kubectl ")
    place = _(" on {part}", part=parts[1]) if on_node else ""
    return _("Collect {path} again{place}: {command}", path=path, place=place, command=command)


def _alternative(found: Input, parts: Sequence[str]) -> bool:
    return found.value.scope is Scope.NODE and parts[-1] in found.value.alternatives

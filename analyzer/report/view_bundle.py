"""What the bundle is: from where, when it was collected, whether it is whole, and file by file what is in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.findings import Report
from analyzer.language import _, later, plural
from analyzer.model.bundle import BundleFile, Standing
from analyzer.report.path_parts import Tone
from analyzer.report.view_nodes import span_text, utc_text

_STANDING_WORDS = {
    Standing.VERIFIED: later("as the manifest says"),
    Standing.UNVERIFIED: later("not verified"),
    Standing.ALTERED: later("altered"),
    Standing.REFUSED: later("refused"),
    Standing.UNREADABLE: later("lost or unreadable"),
    Standing.MISSING: later("not got"),
}
_TONES = {
    Standing.VERIFIED: Tone.GOOD,
    Standing.UNVERIFIED: Tone.UNKNOWN,
    Standing.ALTERED: Tone.BAD,
    Standing.REFUSED: Tone.BAD,
    Standing.UNREADABLE: Tone.WARN,
    Standing.MISSING: Tone.WARN,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the bundle, with its name."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """One kind of file: a file of the cluster, or the same file of every node or pod."""

    path: str
    """With `<node>`, or `<namespace>/<pod>`, where it stands for several."""

    owners: tuple[str, ...]
    """Whose files they are; empty for one of the cluster."""

    size: int
    """Bytes of all of them."""

    collected: str
    """When, as far as the manifest says; empty otherwise."""

    standing: str
    tone: Tone
    reasons: tuple[str, ...]


def facts_of(report: Report) -> tuple[Fact, ...]:
    """Return what identifies the bundle."""
    identity = report.identity
    return (
        Fact(_("Bundle"), identity.path),
        Fact(_("Cluster"), identity.cluster or _("not named")),
        Fact("Kubernetes", report.kubernetes or _("version unknown")),
        Fact(_("Nodes"), f"{len(report.nodes):,}"),
        Fact(_("Services"), f"{len(report.services):,}"),
        Fact(_("Collected"), collected_text(report)),
        *_skew(report),
        Fact(_("Integrity"), _integrity(report)),
        Fact(
            _("Redacted"),
            _("yes: names and addresses were replaced") if identity.redacted else _("no"),
        ),
    )


def collected_text(report: Report) -> str:
    """Return when the bundle was made."""
    created = report.identity.created_at
    return f"{created:%Y-%m-%d %H:%M:%S %Z}".strip() if created else _("at an unknown time")


def file_rows(files: Sequence[BundleFile]) -> tuple[FileRow, ...]:
    """Return the files by kind and standing, what is not in order first."""
    groups: dict[tuple[str, Standing], list[tuple[str, BundleFile]]] = defaultdict(list)
    for file in files:
        kind, owner = _kind(file.path)
        groups[kind, file.standing].append((owner, file))
    rows = [_file_row(kind, standing, members) for (kind, standing), members in groups.items()]
    return tuple(sorted(rows, key=lambda row: (-row.tone.order, row.path)))


def _skew(report: Report) -> tuple[Fact, ...]:
    """Return over which time the files were collected: what changed in between does not fit together."""
    identity = report.identity
    if identity.created_at is None or identity.finished_at is None:
        return ()
    span = identity.finished_at - identity.created_at
    text = _("{span} from first to last file", span=span_text(span))
    return (Fact(_("Time skew"), text),)


def _integrity(report: Report) -> str:
    if not report.identity.verified:
        return _("not verified: no manifest to check the files against")
    amiss = sum(file.standing not in {Standing.VERIFIED, Standing.MISSING} for file in report.files)
    if not amiss:
        return _("checked against the manifest")
    return plural(
        "checked against the manifest; {count:,} file is not as it says",
        "checked against the manifest; {count:,} files are not as it says",
        amiss,
    )


def _kind(path: str) -> tuple[str, str]:
    """Return a path with a placeholder for whose file it is, and who that is."""
    match path.split("/"):
        case ["nodes", node, *rest] if rest:
            return f"nodes/<node>/{'/'.join(rest)}", node
        case ["pods", namespace, pod, *rest] if rest:
            return f"pods/<namespace>/<pod>/{'/'.join(rest)}", f"{namespace}/{pod}"
        case _:
            return path, ""


def _file_row(kind: str, standing: Standing, members: Sequence[tuple[str, BundleFile]]) -> FileRow:
    files = [file for _owner, file in members]
    times = sorted(utc_text(f.collected_at) for f in files if f.collected_at)
    collected = " – ".join(dict.fromkeys((*times[:1], *times[-1:])))  # noqa: RUF001 - from, to
    return FileRow(
        path=kind if len(files) > 1 else files[0].path,
        owners=tuple(owner for owner, _file in members if owner) if len(files) > 1 else (),
        size=sum(file.size or 0 for file in files),
        collected=collected,
        standing=_(_STANDING_WORDS[standing]),
        tone=_TONES[standing],
        reasons=tuple(dict.fromkeys(file.reason for file in files if file.reason)),
    )

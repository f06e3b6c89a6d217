"""Writes the pages that say what the code says already, into docs/ (`make docs`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click

from analyzer import __version__
from analyzer.check import Check
from analyzer.checks import catalogue
from analyzer.cli.commands import cli
from analyzer.model.inputs import Input, Scope
from analyzer.model.station import Station

DOCS = Path(__file__).resolve().parent
_NOTICE = "<!-- Generated from {source} by `make docs`. -->"

_SCOPES = {
    Scope.CLUSTER: "Of the cluster",
    Scope.NODE: "Of each node",
    Scope.POD: "Of pods",
}
_SUBJECTS = {"ClusterView": "the cluster", "NodeView": "each node", "ServiceView": "each Service"}
_EXIT_STATUS = (
    ("0", "Nothing at or above --fail-on (analyze), no difference (diff), all delivered (trace)."),
    ("1", "Findings, differences, or something that is not delivered."),
    ("2", "Wrong usage."),
    ("3", "A bundle cannot be read."),
    ("4", "A defect of svcbundle: please report it."),
    ("130", "Interrupted."),
)
_ENVIRONMENT = (
    ("LC_ALL, LC_MESSAGES, LANG", "Language of messages and reports, where --lang is not given."),
    ("NO_COLOR", "No colours, whatever its value."),
    ("COLUMNS", "Width of what is printed, where standard output is no terminal."),
)
_EXAMPLES = (
    ("svcbundle analyze bundle.tgz", "The diagnosis: causes first, each with its evidence."),
    ("svcbundle analyze bundle.tgz -o report.html", "The same as one page."),
    ("svcbundle diff monday.tgz tuesday.tgz", "What changed."),
    ("svcbundle diff --nodes node-a node-b bundle.tgz", "What one node does differently."),
    ("svcbundle explain hairpin-disabled", "What a finding means."),
)


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        (DOCS / path).write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """Return the text of each page by its path in docs/."""
    return {
        "checks.md": checks_page(catalogue()),
        "bundle-files.md": files_page(Input),
        "man/svcbundle.1": man_page(cli),
    }


# --- the checks ---


def checks_page(checks: Iterable[Check]) -> str:
    """Return every check as Markdown, by station in the order of "Debug Services"."""
    ordered = sorted(checks, key=lambda check: check.station.order)
    stations = [(station, list(found)) for station, found in groupby(ordered, key=_station)]
    notice = _NOTICE.format(source="the checks' docstrings")
    blocks = ["# Checks", notice, _intro(len(ordered))]
    blocks += [_contents(station, found) for station, found in stations]
    for station, found in stations:
        blocks.append(f"## Station {station.value}")
        blocks += [_check(check) for check in found]
    return "\n\n".join(blocks) + "\n"


def _station(check: Check) -> Station:
    return check.station


def _intro(number: int) -> str:
    return (
        f"{number} checks, by station: the stations are those that a request passes, in the order of "
        "[Debug Services](https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/). "
        "`svcbundle explain SLUG` prints the same; `--select` and `--ignore` take the slugs. A check ends as a "
        "finding, as *passed*, or as *not evaluated* with the file that it lacks."
    )


def _contents(station: Station, checks: Iterable[Check]) -> str:
    rows = [
        f"| [`{c.slug}`](#{c.slug}) | {c.severity.value} | {_cell(c.summary)} |" for c in checks
    ]
    return "\n".join(
        (f"**{station.value}**", "", "| Check | Severity | Finds |", "| --- | --- | --- |", *rows)
    )


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _check(check: Check) -> str:
    text = re.sub(r"(?m)^## ", "#### ", check.documentation)
    lines = [f"Runs on {_SUBJECTS[check.subject]}. Severity: {check.severity.value}."]
    if check.needs:
        lines.append("Needs:")
        lines.append("")
        lines += [
            f"- `{n.path('<node>', '<namespace>', '<pod>')}`, from "
            f"`{n.command('<node>', '<namespace>', '<pod>')}`"
            for n in check.needs
        ]
    blocks = [f"### {check.slug}", text, "\n".join(lines)]
    if check.consequence_of:
        causes = ", ".join(f"[`{slug}`](#{slug})" for slug in check.consequence_of)
        blocks.append(f"Explained, where they are found, by {causes}.")
    if check.references:
        blocks.append("\n".join(("Read more:", "", *(f"- <{url}>" for url in check.references))))
    return "\n\n".join(blocks)


# --- the files of a bundle ---


def files_page(inputs: Iterable[Input]) -> str:
    """Return every kind of file that is read, with the command that gives it, as Markdown."""
    blocks = [
        "# Files of a bundle",
        _NOTICE.format(source="`analyzer/model/inputs.py`"),
        "Every file is optional; [formats.md](formats.md#bundle) says how a bundle is laid out.",
    ]
    for scope, found in groupby(inputs, key=lambda i: i.value.scope):
        rows = [_file_row(i) for i in found]
        head = ("| File | Command that gives it |", "| --- | --- |")
        blocks += [f"## {_SCOPES[scope]}", "\n".join((*head, *rows))]
    return "\n\n".join(blocks) + "\n"


def _file_row(of: Input) -> str:
    names = [of.path("<node>", "<namespace>", "<pod>"), *of.value.alternatives]
    command = _cell(of.command("<node>", "<namespace>", "<pod>"))
    return f"| {' or '.join(f'`{name}`' for name in names)} | `{command}` |"


# --- the manual page ---


def man_page(group: click.Group) -> str:
    """Return svcbundle(1) in the man macros."""
    context = click.Context(group, info_name="svcbundle")
    lines = [
        r".\" Generated from the command line by `make docs`.",
        f'.TH SVCBUNDLE 1 "" "svcbundle {__version__}" "User Commands"',
        ".SH NAME",
        rf"svcbundle \- {_roff(_plain(group.help)[0].rstrip('.'))}",
        ".SH SYNOPSIS",
        ".B svcbundle",
        r"\fICOMMAND\fR [\fIOPTION\fR]... \fIBUNDLE\fR...",
        ".SH DESCRIPTION",
        _roff(
            "A bundle is an archive or a directory with dumps of a cluster's API objects and of its nodes' rules, "
            "settings and logs. svcbundle reads it offline. What it lacks is reported as not evaluated, with the "
            "command that gives it."
        ),
        ".SH COMMANDS",
    ]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            lines += _command(name, command, context)
    lines += [".SH EXIT STATUS", *_definitions(_EXIT_STATUS)]
    lines += [".SH ENVIRONMENT", *_definitions(_ENVIRONMENT)]
    lines += [".SH EXAMPLES", *_definitions(_EXAMPLES)]
    lines += [".SH SEE ALSO", ".BR kubectl (1),", ".BR iptables-save (8),", ".BR nft (8)"]
    return "\n".join(lines) + "\n"


def _command(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    words = " ".join(rf"\fI{_roff(a.make_metavar(context))}\fR" for a in arguments)
    yield f".SS {_roff(name)}"
    yield rf"\fBsvcbundle {_roff(name)}\fR [\fIOPTION\fR]... {words}".rstrip()
    for paragraph in _plain(command.help):
        yield from (".PP", _roff(paragraph))
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            yield from _definitions([record])


def _definitions(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield from (".TP", rf"\fB{_roff(term)}\fR", _roff(text or "See above."))


def _plain(text: str | None) -> list[str]:
    """Return the paragraphs of a help text, each on one line."""
    return [" ".join(part.split()) for part in (text or "").split("\n\n") if part.strip()]


def _roff(text: str) -> str:
    """Return a text that roff prints as it is."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    escaped = escaped.replace("…", r"\&...")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    main()

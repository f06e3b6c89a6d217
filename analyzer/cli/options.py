"""Arguments and options that several commands have, and what their values mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analyzer.cli.completion import complete_service
from analyzer.errors import UsageError
from analyzer.language import _

if TYPE_CHECKING:
    from analyzer.bundle.limits import Limits
    from analyzer.model.forwarding import ServiceKey

SUFFIXES = {
    ".sarif.json": "sarif",
    ".sarif": "sarif",
    ".txt": "text",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
    ".md": "markdown",
}
"""The form that a file is written in where none is named; the first suffix that fits."""

BUNDLES = click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
COLOR = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="When to colour what is printed.",
)
SERVICES = click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAMESPACE/NAME",
    shell_complete=complete_service,
    help="Only this Service (repeatable).",
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options about the size of bundles; `limits` makes sense of them."""
    options: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
        click.option("--max-members", type=click.IntRange(min=1), help="Most files in a bundle."),
        click.option(
            "--max-member-bytes", type=click.IntRange(min=1), help="Largest file in a bundle."
        ),
        click.option(
            "--max-total-bytes", type=click.IntRange(min=1), help="Largest bundle, unpacked."
        ),
        click.option(
            "--max-ratio",
            type=click.IntRange(min=1),
            help="Highest compression ratio of an archive.",
        ),
        click.option(
            "--max-path-length", type=click.IntRange(min=1), help="Longest name of a file."
        ),
    )
    for option in options:
        command = option(command)
    return command


def limits_of(given: dict[str, int | None]) -> Limits:
    """Return the limits that were given, the defaults for the others."""
    from analyzer.bundle.limits import Limits

    names = {"max_members": "members", "max_ratio": "ratio"}
    names |= {"max_member_bytes": "member_bytes", "max_total_bytes": "total_bytes"}
    names |= {"max_path_length": "path_length"}
    return Limits(**{names[option]: n for option, n in given.items() if n is not None})


def service_key(text: str) -> ServiceKey:
    """Return the Service of a `--service`; raises `UsageError` for what is no NAMESPACE/NAME."""
    from analyzer.model.forwarding import ServiceKey

    namespace, slash, name = text.partition("/")
    if not slash or not namespace or not name or "/" in name:
        raise UsageError(
            _(
                "--service {text}: expected NAMESPACE/NAME, such as default/hostnames",
                text=repr(text),
            )
        )
    return ServiceKey(namespace, name)


def form_of(output: Path | None) -> str:
    """Return the form that the suffix of a file asks for; raises `UsageError` where it says nothing."""
    if output is None:
        return "text"
    name = output.name.lower()
    form = next((form for suffix, form in SUFFIXES.items() if name.endswith(suffix)), None)
    if form is None:
        raise UsageError(
            _(
                "{output}: name a --format, or a file ending in {suffixes}",
                output=output,
                suffixes=_(", ").join(SUFFIXES),
            )
        )
    return form

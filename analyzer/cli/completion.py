"""What the shell offers at TAB: slugs of checks, and the nodes and Services of the bundle on the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from analyzer.errors import SvcbundleError

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from analyzer.snapshot import ClusterView

_LARGEST = 5_000_000
"""Bytes of an archive that can be opened while somebody waits for a TAB."""


def complete_slug(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the checks."""
    from click.shell_completion import CompletionItem

    from analyzer.checks import catalogue

    return [
        CompletionItem(check.slug, help=check.summary)
        for check in catalogue()
        if check.slug.startswith(incomplete)
    ]


def complete_slugs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the checks for the last place of a list with commas."""
    from click.shell_completion import CompletionItem

    given, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(f"{given}{comma}{item.value}", help=item.help)
        for item in complete_slug(context, parameter, last)
    ]


def complete_node(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the nodes of the bundle."""
    with _cluster(context) as cluster:
        return _items(cluster.nodes if cluster else (), incomplete)


def complete_service(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the Services of the bundle."""
    with _cluster(context) as cluster:
        return _items(map(str, cluster.services) if cluster else (), incomplete)


def _items(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the names that go on as typed; one that a shell could not show or insert is left out."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(name)
        for name in names
        if name.startswith(incomplete) and name.isprintable() and not set(name) & set(" '\"\\$`")
    ]


@contextmanager
def _cluster(context: click.Context) -> Iterator[ClusterView | None]:
    """Open the bundle that stands before the cursor; None where there is none that can be read at once."""
    from pathlib import Path

    from analyzer.bundle.limits import Limits
    from analyzer.bundle.reader import open_bundle
    from analyzer.load import load

    # click leaves what it could not parse in `args`: all words, where an option waits for its value.
    given: Sequence[str | Path] = context.params.get("bundles") or context.args
    paths = [Path(path) for path in given]
    try:
        paths = [path for path in paths if path.exists()]
        quick = bool(paths) and all(p.is_dir() or p.stat().st_size < _LARGEST for p in paths)
        if not quick:
            yield None
            return
        with open_bundle(paths, Limits()) as bundle:
            yield load(bundle)
    except (SvcbundleError, OSError):
        yield None

"""`python -m tests.collect.api_server BUNDLE` serves the cluster of a bundle and prints the path of a kubeconfig."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import click
import yaml

from tests.collect.api_server.authorization import Authorizer, rules_of
from tests.collect.api_server.capture import open_capture
from tests.collect.api_server.faults import Action, Fault
from tests.collect.api_server.handlers import Cluster
from tests.collect.api_server.nodes import Nodes, why_impossible
from tests.collect.api_server.server import ApiServer


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--port", type=int, default=0)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="ACTION|CODE:REGEX",
    help="e.g. 403:secrets, hang:/exec",
)
@click.option(
    "--role",
    type=click.Path(exists=True, path_type=Path),
    help="YAML of the roles that the user has.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print each request.")
def main(
    bundle: Path, port: int, faults: tuple[str, ...], role: Path | None, *, verbose: bool
) -> None:
    """Serve until interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # containers end with this process
    with (
        tempfile.TemporaryDirectory() as directory,
        ExitStack() as stack,
    ):
        capture = open_capture(bundle)
        reason = why_impossible()
        if reason:
            click.echo(reason, err=True)
        runtime = None if reason else stack.enter_context(closing(Nodes(capture)))
        server = stack.enter_context(
            ApiServer(
                Cluster(capture, _authorizer(role)), Path(directory), runtime=runtime, port=port
            )
        )
        server.faults += map(_fault, faults)
        sys.stdout.write(f"{server.kubeconfig}\n")
        sys.stdout.flush()
        seen = 0
        while not threading.Event().wait(0.2):
            if verbose:
                for request in server.requests[seen:]:
                    click.echo(request, err=True)
            seen = len(server.requests)


def _authorizer(role: Path | None) -> Authorizer:
    if role is None:
        return Authorizer()
    return Authorizer(rules_of(yaml.safe_load_all(role.read_text())))


def _fault(text: str) -> Fault:
    word, _, where = text.partition(":")
    if word.isdigit():
        return Fault(where, code=int(word))
    return Fault(where, Action[word.upper()])


main()

"""What node.sh gave where it was run by hand, and on the machine that this runs on, put into the spool."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from analyzer.collect.kubectl import Processes
from analyzer.collect.local_node import collect_local_node
from analyzer.collect.node_files import Keeper
from analyzer.collect.node_script import NodeSettings
from analyzer.collect.node_stream import NodeStream, read_node_stream
from analyzer.collect.options import Options
from analyzer.collect.sightings import is_safe
from analyzer.collect.spool import Spool
from analyzer.errors import BundleUnreadableError, UsageError
from analyzer.language import _


def add_file(spool: Spool, named: str) -> str:
    """Put the output of node.sh, `FILE` or `NODE=FILE`, into the spool, and return the node's name.

    Raises UsageError for a file that is no output of node.sh.
    """
    node, path = _parts(named)
    with ExitStack() as stack:
        keeper = Keeper(spool, stack)
        try:
            stream = read_node_stream(stack.enter_context(path.open("rb")), keeper.open)
        except OSError as error:
            raise UsageError(f"--add {path}: {error.strerror}") from error
        except BundleUnreadableError as error:
            raise UsageError(f"--add {path}: {error}") from error
        return _kept(spool, keeper, stream, node, "by-hand")


def add_local_node(spool: Spool, processes: Processes, options: Options, node: str) -> str:
    """Put what node.sh says of this machine into the spool, and return the node's name.

    Raises BundleUnreadableError where the script cannot run here.
    """
    settings = NodeSettings(
        node=node,
        log_bytes=options.log_bytes,
        since_seconds=options.since_seconds,
        command_seconds=int(options.command_seconds),
        total_seconds=int(options.node_seconds),
    )
    with ExitStack() as stack:
        keeper = Keeper(spool, stack)
        stream = collect_local_node(processes, settings, keeper.open)
        return _kept(spool, keeper, stream, node, "local")


def _parts(named: str) -> tuple[str, Path]:
    """Return node and file; a file that has an equals sign in its name is meant where it exists."""
    node, equals, rest = named.partition("=")
    if not equals or Path(named).exists():
        return "", Path(named)
    if not is_safe(node):
        raise UsageError(_("--add {named}: no name of a node before the =", named=named))
    return node, Path(rest)


def _kept(spool: Spool, keeper: Keeper, stream: NodeStream, node: str, method: str) -> str:
    name = node or stream.node
    for file in stream.files:
        spool.forget(f"nodes/{name}/{file.name}")  # what is added now is newer
    keeper.keep(stream, name)
    spool.reached(name, method)
    if stream.problem:
        spool.note(f"nodes/{name}: {stream.problem}")
    return name

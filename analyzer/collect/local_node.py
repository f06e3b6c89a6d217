"""Collects the node that this runs on, by the same script as any other node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, Final

from analyzer.collect.kubectl import Processes
from analyzer.collect.node_script import COMMAND, NodeSettings, new_nonce, script
from analyzer.collect.node_stream import NodeStream, read_node_stream
from analyzer.errors import BundleUnreadableError
from analyzer.language import _

_MARGIN: Final = 30.0
"""Seconds beyond its own time limit that the script is given to come to its end."""


def collect_local_node(
    processes: Processes, settings: NodeSettings, keep: Callable[[str], BinaryIO]
) -> NodeStream:
    """Return what node.sh says of this machine, each file's content written to what `keep` opens for its name.

    Raises BundleUnreadableError where the script cannot run here at all.
    """
    marked = replace(settings, nonce=settings.nonce or new_nonce())

    def consume(output: BinaryIO) -> NodeStream | BundleUnreadableError:
        try:
            return read_node_stream(output, keep, nonce=marked.nonce)
        except BundleUnreadableError as error:
            return error

    ended, read = processes.run(
        COMMAND, consume, timeout=settings.total_seconds + _MARGIN, stdin=script(marked)
    )
    if isinstance(read, NodeStream):
        return read
    reason = ended.stderr or read
    raise BundleUnreadableError(
        _("nothing of this node could be collected: {reason}", reason=reason)
    ) from read

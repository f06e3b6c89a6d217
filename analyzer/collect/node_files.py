"""Everything of one node: what node.sh sends, the logs and the kubelet's files through the API."""

from __future__ import annotations

import re
import shlex
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final, cast
from urllib.parse import quote

from analyzer.collect.api import Answer, Api, Failure, raw_get
from analyzer.collect.cleaning import Cleaning, Tail, cleaned
from analyzer.collect.credentials import without_credentials
from analyzer.collect.kubectl import Ended
from analyzer.collect.node_access import Door, NoWayInError, no_proxy
from analyzer.collect.node_script import NodeSettings, new_nonce, script
from analyzer.collect.node_stream import NodeStream, Why, read_node_stream
from analyzer.collect.options import NodeAccess, Options
from analyzer.collect.resources import Need
from analyzer.collect.sightings import SeenNode, SeenPod, Sightings
from analyzer.collect.spool import Entry, Incoming, Spool, keep_content, timestamp
from analyzer.errors import BundleUnreadableError
from analyzer.language import _
from analyzer.model.inputs import Input, Scope

BY_API: Final = (Input.PROXY_LOG, Input.KUBELET_LOG, Input.KUBELET_CONFIGZ)
"""The files of a node that do not come from node.sh."""

_EITHER: Final = frozenset(
    {Input.RULESET_LEGACY, Input.RULESET_NFT, Input.RULESET_V6_LEGACY, Input.RULESET_V6_NFT}
)
"""Not every node has them; where node.sh does not run, nobody knows."""

_SHORTEST_LINE: Final = 64
"""Bytes of a log line, to say in lines how much of a log is wanted."""

_MOST_LINES: Final = 100_000
"""What the kubelet takes for tailLines. Source: kubelet_server_journal.go, 1.30."""

_DIRECTORY: Final = re.compile(rb"\s*<(?:pre|!doctype html)", re.IGNORECASE)
PROXY_ANSWERS: Final = {
    Input.PROXY_HEALTHZ: (10256, "healthz"),
    Input.PROXY_MODE: (10249, "proxyMode"),
    Input.PROXY_CONFIGZ: (10249, "configz"),
}
"""What kube-proxy answers on its ports; asked for from outside where node.sh had no program to ask."""

_NO_SHELL: Final = re.compile(
    r"container not found|stopped state|not running|completed pod|executable file not found"
)
"""What API server, kubelet and container runtimes say of a container that is not up, or has no shell."""

_ANSWER_BYTES: Final = 8 << 20


@dataclass(slots=True)
class NodeFiles:
    """Gets the files of nodes into the spool, each node on its own."""

    api: Api
    spool: Spool
    seen: Sightings

    @property
    def options(self) -> Options:
        """What was asked for."""
        return self.api.options

    def collect(self, node: SeenNode) -> None:
        """Get all files of a node that are not there yet; what does not come is noted with its reason."""
        if self.options.node_access is not NodeAccess.NONE and not self._visited(node):
            self._visit(node)
        self._proxy_log(node)
        self._kubelet_configz(node)
        self._kubelet_log(node)
        self._proxy_answers(node)

    def _visited(self, node: SeenNode) -> bool:
        """Tell whether node.sh has run there by the same way, and nothing is worth another attempt."""
        if node.name not in self.spool.nodes:
            return False
        lacking = [
            missing
            for path, missing in self.spool.missing.items()
            if path.startswith(f"nodes/{node.name}/") and path not in _api_paths(node.name)
        ]
        same = self.options.node_access.value in self.spool.nodes[node.name]
        return not lacking or (same and all(missing.final for missing in lacking))

    # --- node.sh ---

    def _visit(self, node: SeenNode) -> None:
        outside = self.options.node_access in {NodeAccess.DEBUG, NodeAccess.SSH}
        nonce = new_nonce()
        settings = NodeSettings(
            node=node.name,
            nonce=nonce,
            logs=outside,
            log_bytes=self.options.log_bytes,
            since_seconds=self.options.since_seconds,
            # iptables-save of 100,000 rules takes a minute on a busy node.
            command_seconds=int(
                max(self.options.command_seconds, self.options.node_seconds * 2 / 3)
            ),
            total_seconds=int(max(self.options.node_seconds - 10, 5)),
            addresses=tuple(self.seen.addresses),
            node_ports=tuple(self.seen.node_ports),
        )
        with ExitStack() as stack:
            keeper = Keeper(self.spool, stack)

            came: list[tuple[NodeStream, dict[str, Incoming]]] = []

            def consume(stream: BinaryIO) -> str:
                keeper.files = {}
                try:
                    came.append((read_node_stream(stream, keeper.open, nonce=nonce), keeper.files))
                except BundleUnreadableError as error:
                    return str(error)
                return ""

            try:
                visit, problem = Door(self.api, self.spool).run(node, script(settings), consume)
            except NoWayInError as error:
                lack_all(self.spool, node.name, str(error))
                return
            if not came:
                lack_all(self.spool, node.name, _with_advice(visit.reason or problem))
                return
            # An attempt that brought less than the one before takes nothing away.
            stream, keeper.files = max(came, key=lambda c: (c[0].complete, len(c[0].files)))
            keeper.keep(stream, node.name, visit.reason)
            self.spool.reached(node.name, visit.method)

    # --- through the API ---

    def _proxy_log(self, node: SeenNode) -> None:
        path = Input.PROXY_LOG.path(node.name)
        if path in self.spool.entries:
            return
        pod = node.proxy
        if pod is None:
            self.spool.lack(path, no_proxy(self.spool), ("kubectl", "logs"))
            return
        previous = self._log(pod, "--previous") if pod.restarts else None
        answer = self._log(pod)
        parts = [a.content for a in (previous, answer) if a is not None and a.failure is None]
        if not parts:
            self.spool.lack(path, answer.reason, ("kubectl", *log_arguments(self.options, pod)))
            return
        content = b"".join(tail.content() for tail in parts)
        cut = any(tail.cut or tail.lines >= _lines(self.options) for tail in parts)
        self._keep(path, content, answer.ended, log_arguments(self.options, pod), truncated=cut)

    def _log(self, pod: SeenPod, *more: str) -> Answer[Tail]:
        arguments = (*log_arguments(self.options, pod), *more)
        return self.api.ask(arguments, self._tail, need=Need.LOG)

    def _tail(self, stream: BinaryIO) -> Tail:
        tail = Tail(self.options.log_bytes)
        with Cleaning(Input.PROXY_LOG.value.name, tail.write) as cleaning:
            while piece := stream.read(1 << 16):
                cleaning.write(piece)
        return tail

    def _kubelet_configz(self, node: SeenNode) -> None:
        path = Input.KUBELET_CONFIGZ.path(node.name)
        if path not in self.spool.entries:
            self._answer(path, raw_get(configz_path(node.name)))

    def _kubelet_log(self, node: SeenNode) -> None:
        path = Input.KUBELET_LOG.path(node.name)
        if path in self.spool.entries:
            return
        for arguments in map(raw_get, kubelet_log_paths(self.options, node.name)):
            answer = self.api.ask(arguments, self._tail, attempts=2, need=Need.NODE_PROXY)
            content = answer.content.content()
            if answer.failure in {Failure.FORBIDDEN, Failure.LATE, Failure.LOST, Failure.STOPPED}:
                break
            if answer.failure is None and content and not _DIRECTORY.match(content):
                cut = answer.content.cut
                self._keep(path, content, answer.ended, arguments, truncated=cut)
                return
        nothing = _("neither the kubelet's log query nor /var/log/kubelet.log gives it")
        self.spool.lack(path, answer.reason or nothing, ("kubectl", *arguments))

    def _proxy_answers(self, node: SeenNode) -> None:
        """Ask kube-proxy's ports from outside for what node.sh had no program to ask for."""
        for source in PROXY_ANSWERS:
            path = source.path(node.name)
            if path in self.spool.entries or (self.spool.missing.get(path) is None):
                continue
            arguments = raw_get(proxy_answer_path(source, node.name))
            answer = self._get(arguments, attempts=1)
            if answer.failure is None:
                self._keep(
                    path, cleaned(source.value.name, answer.content), answer.ended, arguments
                )

    def _answer(self, path: str, arguments: tuple[str, ...]) -> None:
        answer = self._get(arguments, attempts=2)
        if answer.failure is not None:
            self.spool.lack(path, answer.reason, ("kubectl", *arguments))
            return
        name = path.rpartition("/")[2]
        self._keep(path, cleaned(name, answer.content), answer.ended, arguments)

    def _get(self, arguments: tuple[str, ...], attempts: int) -> Answer[bytes]:
        return self.api.ask(
            arguments,
            lambda stream: stream.read(_ANSWER_BYTES),
            attempts=attempts,
            need=Need.NODE_PROXY,
        )

    def _keep(
        self,
        path: str,
        content: bytes,
        ended: Ended,
        arguments: tuple[str, ...],
        *,
        truncated: bool = False,
    ) -> None:
        keep_content(
            self.spool,
            path,
            content,
            command=("kubectl", *arguments),
            truncated=truncated,
            started_at=timestamp(ended.started_at),
            duration_ms=ended.duration_ms,
            exit_code=ended.exit_code,
            stderr=without_credentials(ended.stderr),
        )


@dataclass(slots=True)
class Keeper:
    """Takes the files of one stream of node.sh, cleaned, and puts them in their place at its end."""

    spool: Spool
    stack: ExitStack
    files: dict[str, Incoming] = field(default_factory=dict)

    def open(self, name: str) -> BinaryIO:
        """Open the file that a content goes to."""
        self.files[name] = self.stack.enter_context(self.spool.incoming())
        return cast("BinaryIO", Cleaning(name, self.files[name].write))

    def keep(self, stream: NodeStream, node: str, reason: str = "") -> None:
        """Put the files of a stream below `nodes/<node>/`, and note what it lacks."""
        for file in stream.files:
            path = f"nodes/{node}/{file.name}"
            incoming = self.files[file.name]
            if path in self.spool.entries and not self.spool.entries[path].truncated:
                continue
            self.spool.keep(
                incoming,
                Entry(
                    path=path,
                    command=_clean_words(file.command),
                    bytes=incoming.bytes,
                    sha256=incoming.sha256,
                    truncated=file.truncated,
                    started_at=file.started_at,
                    duration_ms=file.duration_ms,
                    exit_code=file.exit_code,
                    stderr=without_credentials(file.stderr),
                ),
            )
        named = {missing.name for missing in stream.missing} | {file.name for file in stream.files}
        for missing in stream.missing:
            path = f"nodes/{node}/{missing.name}"
            if missing.why is Why.ABSENT:
                self.spool.excuse(path)
            else:
                final = missing.why is Why.UNAVAILABLE
                self.spool.lack(path, missing.reason, _clean_words(missing.command), final=final)
        if not stream.complete:
            lack_all(self.spool, node, reason or stream.problem, besides=named)


def _with_advice(reason: str) -> str:
    if not _NO_SHELL.search(reason):
        return reason
    return _(
        "{reason}; other ways in: --node-access debug, --node-access ssh",
        reason=reason,
    )


def lack_all(
    spool: Spool, node: str, reason: str, besides: set[str] | frozenset[str] = frozenset()
) -> None:
    """Note that the files that node.sh sends did not come."""
    for source in Input:
        if source.value.scope is not Scope.NODE or source in BY_API or source in _EITHER:
            continue
        if not besides & {source.value.name, *source.value.alternatives}:
            command = tuple(shlex.split(source.command(node)))
            spool.lack(source.path(node), reason, command)


def configz_path(node: str) -> str:
    """Return the path of the kubelet's configuration."""
    return f"/api/v1/nodes/{quote(node)}/proxy/configz"


def proxy_answer_path(source: Input, node: str) -> str:
    """Return the path by which the API server asks kube-proxy's port on a node."""
    port, word = PROXY_ANSWERS[source]
    return f"/api/v1/nodes/{quote(node)}:{port}/proxy/{word}"


def kubelet_log_paths(options: Options, node: str) -> tuple[str, ...]:
    """Return the paths that may give the kubelet's log: the journal (1.27 and later, where it is on), a file."""
    logs = f"/api/v1/nodes/{quote(node)}/proxy/logs/"
    since = ""
    if options.since_seconds:
        moment = datetime.now(UTC) - timedelta(seconds=options.since_seconds)
        since = f"&sinceTime={quote(moment.strftime('%Y-%m-%dT%H:%M:%SZ'))}"
    lines = min(_lines(options), _MOST_LINES)
    return (f"{logs}?query=kubelet&tailLines={lines}{since}", f"{logs}kubelet.log")


def _lines(options: Options) -> int:
    return max(1, options.log_bytes // _SHORTEST_LINE)


def log_arguments(options: Options, pod: SeenPod) -> tuple[str, ...]:
    """Return kubectl's arguments that print the newest part of a log."""
    since = (f"--since={options.since_seconds}s",) if options.since_seconds else ()
    return (
        *("logs", f"--namespace={pod.namespace}", pod.name, f"--container={pod.container}"),
        *(f"--tail={_lines(options)}", *since),
    )


def _api_paths(node: str) -> frozenset[str]:
    return frozenset(source.path(node) for source in BY_API)


def _clean_words(command: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(without_credentials, command))

"""From options to a bundle: what `svcbundle collect` does, with its signals, its work directory and its end."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from analyzer.collect import dry_run as plan
from analyzer.collect.added import add_file, add_local_node
from analyzer.collect.api import Api
from analyzer.collect.archive import file_timestamp, write_archive, write_manifest
from analyzer.collect.collection import Collection
from analyzer.collect.context import ClusterName, cluster_name
from analyzer.collect.kubectl import Processes
from analyzer.collect.node_script import NodeSettings, script
from analyzer.collect.options import Options
from analyzer.collect.permissions import cluster_role
from analyzer.collect.resources import scopes
from analyzer.collect.resume import bundle_of, resumed_spool, work_directory
from analyzer.collect.sightings import Sightings
from analyzer.collect.spool import Spool, SpoolError, Start, timestamp
from analyzer.collect.summary import summary
from analyzer.collect.work import Progress, Silence
from analyzer.errors import NothingCollectedError, SvcbundleError, UsageError
from analyzer.language import _
from analyzer.model.inputs import Input


@dataclass(frozen=True, slots=True)
class Request:
    """What a collection begins with, and ends in."""

    output: Path | None = None
    """The archive; None for a name made of cluster and time."""

    resumed: Path | None = None
    added: tuple[str, ...] = ()
    """Outputs of node.sh, `[NODE=]FILE`."""

    local: bool = False
    """Collect the machine that this runs on."""

    node_name: str = ""
    cluster: bool = True
    """Whether a cluster is asked at all."""


@dataclass(frozen=True, slots=True)
class Result:
    """A bundle that was written."""

    summary: str
    complete: bool
    """All that was asked for is in it."""


def collect_bundle(options: Options, request: Request, progress: Progress) -> Result:
    """Collect, and write what came as a bundle. Raises NothingCollectedError and UsageError."""
    processes = Processes(deadline=time.monotonic() + options.total_seconds)
    api = Api(options, processes)
    try:
        output, spool = _spool(api, request)
    except SpoolError as error:
        raise NothingCollectedError(str(error)) from error
    with spool:
        try:
            with _stopped_by_signals(processes, spool, progress):
                collection = _collected(api, spool, request, progress)
            return _written(spool, collection, output)
        except SvcbundleError:
            if not spool.entries:
                spool.remove()
            raise


def dry_run(options: Options) -> str:
    """Return every command that would run; only the lists that name nodes and pods are asked for, and not kept."""
    processes = Processes(deadline=time.monotonic() + options.total_seconds)
    api = Api(options, processes)
    with (
        tempfile.TemporaryDirectory(prefix="svcbundle-") as directory,
        Spool(Path(directory)) as spool,
        _stopped_by_signals(processes, spool, Silence()),
    ):
        collection = Collection(api, spool, Silence(), Sightings(options))
        collection.look_only()
        return plan.dry_run(api, collection.seen, collection.chosen, spool)


def node_script() -> bytes:
    """Return node.sh as it is run by hand."""
    return script(NodeSettings())


def role(options: Options) -> str:
    """Return the least roles that suffice, as YAML."""
    return cluster_role(options)


def _spool(api: Api, request: Request) -> tuple[Path, Spool]:
    """Return the output and its work directory, new or taken up again."""
    now = datetime.now(UTC)
    cluster = cluster_name(api) if request.cluster else ClusterName("")
    named = cluster.in_file_names if cluster.name else request.node_name or "node"
    stem = f"svcbundle-{named}-{file_timestamp(now)}"
    if request.resumed is not None:
        output = request.output or bundle_of(request.resumed)
        spool = resumed_spool(request.resumed, output)
        spool.unsay(_("the collection ended early: {why}", why=""))  # it goes on
    else:
        output = request.output or Path(f"{stem}.tgz")
        spool = _new_spool(output)
    if spool.start is None:
        namespaces = scopes(api.options) if api.options.namespaces else ()
        spool.begin(Start(stem, cluster.name or named, timestamp(now), namespaces))
    elif cluster.name and spool.start.cluster not in {cluster.name, ""}:
        spool.close()
        raise UsageError(
            _(
                "--resume: the bundle is of cluster {bundle}, and the context of {context}",
                bundle=spool.start.cluster,
                context=cluster.name,
            )
        )
    return output, spool


def _new_spool(output: Path) -> Spool:
    directory = work_directory(output)
    if directory.exists():
        raise UsageError(
            _(
                "{directory} is there: a collection that was ended, or that still runs. "
                "Go on with it by --resume {output}, or delete it",
                directory=directory,
                output=output,
            )
        )
    return Spool(directory)


def _collected(api: Api, spool: Spool, request: Request, progress: Progress) -> Collection | None:
    """Get everything; where the disk is full, what came until then."""
    collection = Collection(api, spool, progress, Sightings(api.options))
    try:
        names = [add_file(spool, named) for named in request.added]
        if request.local:
            names.append(add_local_node(spool, api.processes, api.options, request.node_name))
        if not request.cluster:
            return None
        collection.run()
        for name in names:
            if collection.seen.nodes and name not in collection.seen.nodes:
                spool.note(
                    _(
                        "{name} was added, and is no node of the cluster: --add NODE=FILE says whose file it is",
                        name=name,
                    )
                )
    except SpoolError as error:
        progress.say(str(error))
        spool.release_reserve()
        with suppress(SpoolError):
            spool.note(str(error))
    return collection


def _written(spool: Spool, collection: Collection | None, output: Path) -> Result:
    if not set(spool.entries) - {Input.VERSION.path()}:
        for path in list(spool.entries):
            spool.forget(path)
        reasons = sorted({missing.reason for missing in spool.missing.values()})
        raise NothingCollectedError("; ".join(reasons[:3]) or _("nothing came"))
    try:
        written = write_archive(spool, output)
    except SpoolError as error:
        write_manifest(spool)
        raise NothingCollectedError(
            _(
                "the bundle could not be written: {error}. What came is kept in {directory}, which "
                "`svcbundle analyze` reads; free some room, then: svcbundle collect --resume {output}",
                error=error,
                directory=spool.directory,
                output=output,
            )
        ) from error
    text = summary(spool, collection, written)
    complete = not (spool.missing or spool.pods or spool.unfinished)
    spool.remove()
    return Result(text, complete)


@contextmanager
def _stopped_by_signals(processes: Processes, spool: Spool, progress: Progress) -> Iterator[None]:
    """Have Ctrl-C, a termination and a lost terminal end the collection, not the program."""

    def stop(number: int, _frame: FrameType | None) -> None:
        if processes.stopped:
            raise KeyboardInterrupt
        processes.stop()
        name = signal.Signals(number).name
        progress.say(_("{signal}: writing what came; once more leaves it unwritten", signal=name))

    before: dict[signal.Signals, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with suppress(ValueError):  # not in the main thread
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if processes.stopped:
            with suppress(SpoolError):
                spool.note(_("the collection ended early: {why}", why=processes.why_stopped))

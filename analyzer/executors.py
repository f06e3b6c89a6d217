"""Who examines the nodes of a bundle: processes of this machine, or a cluster of workers that is there already."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from analyzer.bundle.reader import Bundle
from analyzer.errors import UsageError
from analyzer.language import _

_DASK = "dask://"

_LARGE = 8 << 20
"""Bytes of nodes' files from which on further processes pay."""

_LARGE_ALONE = 64 << 20
"""Bytes from which on one pays for a single node: this process examines the Services meanwhile."""


@contextmanager
def executor_for(
    bundle: Bundle, jobs: int | None, address: str | None
) -> Iterator[Executor | None]:
    """Open the executor at the address, or else one with so many processes, by default one for each processor.

    None for a bundle whose nodes are examined sooner here, as small ones are. Raise UsageError for an address at
    which there is none.
    """
    if address is not None:
        with _dask_executor(address) as executor:
            yield executor
        return
    files = [path for path in bundle.members if path.startswith("nodes/")]
    nodes = len({path.split("/")[1] for path in files})
    processors = _processors()
    if jobs is None and sum(map(bundle.size, files)) < (_LARGE if nodes > 1 else _LARGE_ALONE):
        yield None
    elif (jobs or processors) == 1:
        yield _Here()
    else:
        with _processes(min(jobs or processors, max(nodes, 1))) as executor:
            yield executor


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _processes(number: int) -> Iterator[Executor]:
    """Open a pool of processes; forked ones have what this one has read."""
    # Most bundles are small and need none.
    import multiprocessing  # noqa: PLC0415
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    forks = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if forks else None)
    pool = ProcessPoolExecutor(number, context)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _dask_executor(address: str) -> Iterator[Executor]:
    """Open the executor of a Dask scheduler, whose workers have svcbundle and the bundle, at the same path."""
    if not address.startswith(_DASK):
        raise UsageError(_("--executor {address}: expected dask://HOST:PORT", address=address))
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise UsageError(
            _("--executor {address}: install svcbundle[dask] for that", address=address)
        ) from error
    try:
        client = distributed.Client(
            f"tcp://{address.removeprefix(_DASK)}", set_as_default=False, timeout=10
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            _("--executor {address}: no scheduler answers: {error}", address=address, error=error)
        ) from error
    with client:
        yield client.get_executor(pure=False)


class _Here(Executor):
    """Does the work at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as Executor has it
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future

"""What a collection consists of: pieces of work that do not depend on each other, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol

from analyzer.collect.kubectl import Processes
from analyzer.collect.spool import Spool, SpoolError
from analyzer.language import _


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work; whatever fails in it, it notes."""

    label: str
    run: Callable[[], None]


class Progress(Protocol):
    """Is told how far a collection has come."""

    def expect(self, pieces: int) -> None:
        """So many more pieces are to be done."""

    def done(self, label: str) -> None:
        """One piece is done."""

    def say(self, text: str) -> None:
        """Something that the user should know at once."""


class Silence:
    """A `Progress` that nobody watches."""

    def expect(self, pieces: int) -> None:
        """Pass over it."""

    def done(self, label: str) -> None:
        """Pass over it."""

    def say(self, text: str) -> None:
        """Pass over it."""


def work(
    pieces: Sequence[Piece], jobs: int, processes: Processes, spool: Spool, progress: Progress
) -> None:
    """Do all pieces, `jobs` at a time. Raises SpoolError where the disk was full.

    After that, and after `processes.stop`, the remaining pieces run through without asking anything, and note that.
    """
    full: SpoolError | None = None
    progress.expect(len(pieces))
    with ThreadPoolExecutor(jobs, thread_name_prefix="collect") as pool:
        futures = {pool.submit(piece.run): piece for piece in pieces}
        for future in as_completed(futures):
            piece = futures[future]
            failure = future.exception()
            if isinstance(failure, SpoolError):
                full = full or failure
                processes.stop(str(full))
                spool.release_reserve()
            elif failure is not None:
                spool.note(
                    _(
                        "{label}: a defect of svcbundle prevented it: {failure}",
                        label=piece.label,
                        failure=repr(failure)[:300],
                    )
                )
            progress.done(piece.label)
    if full is not None:
        raise full

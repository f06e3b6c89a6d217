"""Objects of one resource, page by page: each is decoded, cleaned and written before the next is asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from analyzer.collect.api import Answer, Api, Failure, raw_get
from analyzer.collect.removal import remove_secrets
from analyzer.collect.resources import Listing, scopes
from analyzer.collect.spool import Entry, Incoming, Spool, timestamp
from analyzer.language import _

PAGE: Final = 500
"""Objects of one page, as many as kubectl itself asks for at a time."""

_RESTARTS: Final = 2
"""How often a list that expired on the way is begun anew."""

_ATTEMPTS: Final = 3
"""How often a page is asked for whose answers succeed and are no list: a proxy may cut one and not say so."""

_TOKEN: Final = re.compile(r"continue=.*")

Look = Callable[[Listing, bytes], None]
"""Is given each object, cleaned, as JSON."""


class _ListMeta(msgspec.Struct, rename={"continuation": "continue"}):
    continuation: str = ""


class _Page(msgspec.Struct, rename={"api_version": "apiVersion"}):
    kind: str = ""
    api_version: str = ""
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[Raw] | None = None


def page_query(path: str, continuation: str = "") -> str:
    """Return the path and query of one page."""
    following = f"&continue={quote(continuation, safe='')}" if continuation else ""
    return f"{path}?limit={PAGE}{following}"


def parts_of(spool: Spool, listing: Listing) -> list[Entry]:
    """Return what came of a resource, in order."""
    stem = listing.input.path().removesuffix(".json")
    numbered = [path for path in spool.entries if path.startswith(f"{stem}.")]
    numbered.sort(key=lambda path: (len(path), path))
    return [spool.entries[path] for path in numbered]


def is_whole(spool: Spool, listing: Listing) -> bool:
    """Tell whether a resource came to its end; what is cut because the user restricted it is whole."""
    stem = listing.input.path().removesuffix(".json")
    lacking = any(path.startswith(f"{stem}.") for path in spool.missing)
    return not lacking and bool(parts_of(spool, listing)) and stem not in spool.unfinished


@dataclass(slots=True)
class Lister:
    """Gets lists into the spool."""

    api: Api
    spool: Spool
    look: Look
    decoding: threading.Lock = field(default_factory=threading.Lock)
    """One page is in memory in decoded form, however many lists are under way."""

    def collect(self, listing: Listing) -> None:
        """Get all objects of a resource, or note why not. What came of a list that breaks off is kept."""
        earlier = parts_of(self.spool, listing)
        for attempt in range(_RESTARTS + 1):
            with ExitStack() as held:
                run = _Run(self, listing, held, staged=bool(earlier))
                run.go()
                run.settle(earlier)
            if run.failure is not Failure.EXPIRED or attempt == _RESTARTS:
                return
            self.spool.note(
                _(
                    "{resource}: the list expired on its page {page} and was begun anew",
                    resource=listing.resource,
                    page=len(run.parts) + 1,
                )
            )
            earlier = parts_of(self.spool, listing)


@dataclass(slots=True)
class _Run:
    """One attempt at the list of a resource."""

    lister: Lister
    listing: Listing
    held: ExitStack
    staged: bool
    """Pages wait until the list is whole, because parts of an earlier attempt are in their place."""

    parts: list[tuple[Incoming, Entry]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    command: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def stem(self) -> str:
        """Path of the file without suffix."""
        return self.listing.input.path().removesuffix(".json")

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to ask one by one; one empty name for all at once."""
        return scopes(self.lister.api.options) if self.listing.namespaced else ("",)

    def go(self) -> None:
        """Get what there is, up to the end or to what prevents it."""
        self.lister.spool.list_begun(self.stem)
        for namespace in self.namespaces:
            self._list(namespace)
            if self.failure not in {None, Failure.FORBIDDEN, Failure.NOT_FOUND}:
                return

    def settle(self, earlier: list[Entry]) -> None:
        """Put the pages in their place, and note what is missing."""
        spool = self.lister.spool
        if self.staged and (not self.reasons or len(self.parts) > len(earlier)):
            for entry in earlier:
                spool.forget(entry.path)
            for incoming, entry in self.parts:
                spool.keep(incoming, entry)
        for path in [path for path in spool.missing if path.startswith(f"{self.stem}.")]:
            spool.forget(path)
        cut = bool(self.reasons) or self.namespaces != ("",)
        present = parts_of(spool, self.listing)
        for entry in present:
            if entry.truncated is not cut:
                spool.amend(replace(entry, truncated=cut))
        if self.reasons:
            path = f"{self.stem}.{len(present) + 1}.json" if present else f"{self.stem}.json"
            spool.lack(path, "; ".join(dict.fromkeys(self.reasons)), self.command)
        spool.list_ended(self.stem)

    def _list(self, namespace: str) -> None:
        paths = list(self.listing.paths(namespace))
        preferred = paths[0]
        continuation = ""
        while True:
            query = page_query(paths[0], continuation)
            answer, page = self._asked(query)
            if answer.failure is Failure.NOT_FOUND and len(paths) > 1:
                del paths[0]
                continue
            if page is None:
                # Whoever may not ask for an older version is refused before the server says that it has none.
                refused = paths[0] != preferred and answer.failure is Failure.FORBIDDEN
                unknown = refused or answer.failure is Failure.NOT_FOUND
                self._break_off(answer, preferred if unknown else "", namespace)
                return
            with self.lister.decoding:
                self._write(page, answer)
            continuation = page.metadata.continuation
            if not continuation:
                return

    def _asked(self, query: str) -> tuple[Answer[bytes], _Page | None]:
        """Return an answer and the page that it is, None where it is none."""
        for _attempt in range(_ATTEMPTS):
            answer = self.lister.api.raw(query)
            page = self._page(answer) if answer.failure is None else None
            if page is not None or answer.failure is not None:
                break
        return answer, page

    def _page(self, answer: Answer[bytes]) -> _Page | None:
        try:
            page = msgspec.json.decode(answer.content, type=_Page)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return page if page.kind.endswith("List") else None

    def _break_off(self, answer: Answer[bytes], unknown: str, namespace: str) -> None:
        """Note why no more comes; `unknown` is the path that the server does not know, where that is why."""
        reason = answer.reason or _("the answer is no list of objects")
        if unknown:
            reason = _("the server does not know this resource")
            self.command = ("kubectl", *raw_get(page_query(unknown)))
        if namespace:
            reason = _("namespace {namespace}: {reason}", namespace=namespace, reason=reason)
        self.reasons.append(reason)
        self.failure = answer.failure or Failure.OTHER
        self.command = self.command or _command(answer)

    def _write(self, page: _Page, answer: Answer[bytes]) -> None:
        spool = self.lister.spool
        kind = page.kind.removesuffix("List")
        incoming = self.held.enter_context(spool.incoming())
        incoming.write(b'{\n    "apiVersion": "v1",\n    "items": [')
        separator = b""
        for raw in page.items or ():
            item = _cleaned(raw, kind, page.api_version)
            if item is None:
                spool.note(_("{kind}: an object that is none was left out", kind=kind))
                continue
            text = msgspec.json.format(item, indent=4).replace(b"\n", b"\n        ")
            incoming.write(separator + b"\n        " + text)
            separator = b","
            self.lister.look(self.listing, item)
        incoming.write(
            b'\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n'
        )
        more = bool(page.metadata.continuation)
        whole = not self.parts and not more and len(self.namespaces) == 1
        entry = Entry(
            path=f"{self.stem}.json" if whole else f"{self.stem}.{len(self.parts) + 1}.json",
            command=_command(answer),
            bytes=incoming.bytes,
            sha256=incoming.sha256,
            truncated=not whole,
            started_at=timestamp(answer.ended.started_at),
            duration_ms=answer.ended.duration_ms,
            exit_code=answer.ended.exit_code,
        )
        self.parts.append((incoming, entry))
        if not self.staged:
            spool.keep(incoming, entry)


def _command(answer: Answer[bytes]) -> tuple[str, ...]:
    """Return the command of a page without its token, which serves for minutes and looks like a credential."""
    return ("kubectl", *(_TOKEN.sub("continue=TOKEN", word) for word in answer.ended.command[-3:]))


def _cleaned(raw: Raw, kind: str, api_version: str) -> bytes | None:
    """Return one object as `kubectl get -o json` has it, with its kind, and without secrets; None for no object."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    item: dict[str, Any] = {"apiVersion": api_version, "kind": kind, **found}
    remove_secrets(item)
    return msgspec.json.encode(item)

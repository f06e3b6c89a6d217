"""A collection from its beginning to its end: permissions, objects, nodes and pods, in this order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from analyzer.collect.api import Api, Failure, raw_get
from analyzer.collect.listing import Lister, is_whole, parts_of
from analyzer.collect.node_access import delete_pod
from analyzer.collect.node_choice import Chosen, choose_nodes
from analyzer.collect.node_files import NodeFiles, lack_all
from analyzer.collect.options import Options
from analyzer.collect.permissions import (
    Allowed,
    Permission,
    ask_permission,
    needed,
    refusals,
    refused_everywhere,
    table,
)
from analyzer.collect.pod_files import PodFiles, samples
from analyzer.collect.removal import config_map_names, remove_secrets
from analyzer.collect.resources import FIRST, THEN, Listing, config_map_path
from analyzer.collect.sightings import Sightings
from analyzer.collect.spool import Spool, keep_content, timestamp
from analyzer.collect.work import Piece, Progress, work
from analyzer.errors import NothingCollectedError
from analyzer.language import _, plural
from analyzer.model.inputs import Input

_MINOR: Final = re.compile(r"v?1\.(\d{1,3})\b")
_DECISIVE: Final = frozenset({Failure.NOT_STARTED, Failure.LOST, Failure.LATE})


class _Version(msgspec.Struct, rename={"git_version": "gitVersion"}):
    git_version: str = ""


class _Items(msgspec.Struct):
    items: list[msgspec.Raw] = []


@dataclass(slots=True)
class Collection:
    """One run of `svcbundle collect` against a cluster."""

    api: Api
    spool: Spool
    progress: Progress
    seen: Sightings
    chosen: Chosen = field(default_factory=lambda: Chosen((), ""))
    _minor: int | None = None

    @property
    def options(self) -> Options:
        """What was asked for."""
        return self.api.options

    def run(self) -> None:
        """Get all that is not there yet.

        Raises NothingCollectedError where the cluster cannot be asked at all and nothing came before, and
        SpoolError where the disk is full.
        """
        self._version()
        for pod in sorted(self.spool.pods):
            delete_pod(self.api, self.spool, pod)
        if self.options.preflight:
            self._preflight()
        self._work([self._list(listing) for listing in FIRST])
        self._choose()
        self._work(
            [*self._of_nodes(), *self._of_pods(), *map(self._list, THEN), self._config_maps()]
        )

    def look_only(self) -> None:
        """Get the lists that say which nodes and pods there are, and nothing else."""
        self._work([self._list(listing) for listing in FIRST])
        self._choose()

    def _work(self, pieces: list[Piece]) -> None:
        work(pieces, self.options.jobs, self.api.processes, self.spool, self.progress)

    def _version(self) -> None:
        path = Input.VERSION.path()
        answer = self.api.raw("/version")
        if answer.failure is None:
            keep_content(
                self.spool,
                path,
                answer.content,
                command=("kubectl", *raw_get("/version")),
                started_at=timestamp(answer.ended.started_at),
                duration_ms=answer.ended.duration_ms,
                exit_code=answer.ended.exit_code,
            )
            self._minor = _minor(answer.content)
        elif answer.failure in _DECISIVE and not self.spool.entries:
            raise NothingCollectedError(answer.reason)
        else:
            self.spool.lack(path, answer.reason, ("kubectl", *raw_get("/version")))

    # --- what is allowed ---

    def _preflight(self) -> None:
        answers: list[Allowed] = []
        pieces = [
            Piece(_("permission: {permission}", permission=p), partial(self._ask, p, answers))
            for p in needed(self.options)
        ]
        self._work(pieces)
        order = {permission: index for index, permission in enumerate(needed(self.options))}
        answers.sort(key=lambda answer: order[answer.permission])
        self.api.refused = refusals(answers)
        self.progress.say(_permissions_text(answers))
        if refused_everywhere(answers):
            restricted = _(
                "lists of all namespaces are refused: --namespace NAME asks for those of some, and of kube-system"
            )
            self.spool.note(restricted)
            self.progress.say(restricted)

    def _ask(self, permission: Permission, answers: list[Allowed]) -> None:
        answers.append(ask_permission(self.api, permission))

    # --- cluster objects ---

    def _list(self, listing: Listing) -> Piece:
        return Piece(listing.input.path(), partial(self._get_list, listing))

    def _get_list(self, listing: Listing) -> None:
        if is_whole(self.spool, listing):
            self._look_again(listing)
        else:
            Lister(self.api, self.spool, self.seen.look).collect(listing)

    def _look_again(self, listing: Listing) -> None:
        """Look through a list that came before."""
        if listing not in FIRST:
            return
        for entry in parts_of(self.spool, listing):
            page = msgspec.json.decode(self.spool.path(entry.path).read_bytes(), type=_Items)
            for item in page.items:
                self.seen.look(listing, bytes(item))

    def _config_maps(self) -> Piece:
        return Piece(Input.CONFIG_MAPS.path(), self._get_config_maps)

    def _get_config_maps(self) -> None:
        """Get the named ConfigMaps of kube-system, one by one: no other is asked for."""
        path = Input.CONFIG_MAPS.path()
        if path in self.spool.entries and not self.spool.entries[path].truncated:
            return
        items: list[bytes] = []
        reasons: list[str] = []
        for name in config_map_names(self._minor):
            answer = self.api.raw(config_map_path(name))
            if answer.failure is Failure.NOT_FOUND:
                continue
            if answer.failure is not None:
                reasons.append(answer.reason)
                continue
            item = msgspec.json.decode(answer.content)
            remove_secrets(item)
            items.append(msgspec.json.encode(item))
        command = (
            "kubectl",
            *raw_get(config_map_path("{" + ",".join(config_map_names(self._minor)) + "}")),
        )
        if items or not reasons:
            document = b'{"apiVersion":"v1","kind":"List","items":[' + b",".join(items) + b"]}"
            content = msgspec.json.format(document, indent=4) + b"\n"
            keep_content(self.spool, path, content, command=command, truncated=bool(reasons))
        if reasons:
            absent = Input.CONFIG_MAPS.path().replace(".json", ".2.json") if items else path
            self.spool.lack(absent, "; ".join(dict.fromkeys(reasons)), command)

    # --- nodes and pods ---

    def _choose(self) -> None:
        self.chosen = choose_nodes(self.seen, self.options)
        if self.chosen.statement:
            self.spool.note(_("nodes: {statement}", statement=self.chosen.statement))
            self.progress.say(_("nodes: {statement}", statement=self.chosen.statement))
        for name in self.seen.refused:
            self.spool.note(
                _("node {name}: refused, its name is no file name", name=repr(name[:80]))
            )
        windows = [node.name for node in self.seen.nodes.values() if node.listed and node.windows]
        if windows:
            self.spool.note(
                plural(
                    "{count} Windows node is not looked into: node.sh is for Linux",
                    "{count:,} Windows nodes are not looked into: node.sh is for Linux",
                    len(windows),
                )
            )
        for name in self.chosen.unknown:
            lack_all(self.spool, name, _("the cluster has no Linux node of this name"))
        for service in sorted(set(self.options.services) - self.seen.found_services):
            self.spool.note(_("Service {service}: not found", service=service))
        for pod in sorted(set(self.options.pods) - self.seen.named.keys()):
            path = Input.POD_RESOLV_CONF.path(namespace=pod.namespace, pod=pod.name)
            self.spool.lack(path, _("the cluster has no such pod"))

    def _of_nodes(self) -> Iterator[Piece]:
        files = NodeFiles(self.api, self.spool, self.seen)
        for node in self.chosen.nodes:
            yield Piece(f"nodes/{node.name}", partial(files.collect, node))

    def _of_pods(self) -> Iterator[Piece]:
        if not self.options.pod_exec:
            return
        files = PodFiles(self.api, self.spool)
        nodes = frozenset(node.name for node in self.chosen.nodes)
        for candidates in samples(self.seen, nodes):
            first = candidates[0]
            yield Piece(f"pods/{first.namespace}/{first.name}", partial(files.collect, candidates))


def _minor(version: bytes) -> int | None:
    try:
        found = _MINOR.match(msgspec.json.decode(version, type=_Version).git_version)
    except msgspec.DecodeError:
        return None
    return int(found[1]) if found else None


def _permissions_text(answers: list[Allowed]) -> str:
    refused = [answer for answer in answers if answer.verdict.value != "yes"]
    if not refused:
        return plural(
            "permissions: the one that is needed is there",
            "permissions: all {count} that are needed are there",
            len(answers),
        )
    return _("permissions:") + "\n" + table(answers)

"""The objects of a cluster, in the order of etcd, listed in pages."""

from __future__ import annotations

import asyncio
import base64
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from tests.collect.api_server.capture import Capture
from tests.collect.api_server.resources import STORED, Resource
from tests.collect.api_server.selectors import Test
from tests.collect.api_server.statuses import ApiError, not_found

_ALWAYS_THERE = {"secrets", "serviceaccounts"}
_REVISION = 4711


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    """One object; its JSON is kept as bytes, so that 50,000 pods fit."""

    key: tuple[str, str]
    """Namespace and name."""

    content: bytes
    labels: dict[str, str]

    def decoded(self) -> Any:
        return msgspec.json.decode(self.content)

    def alone(self, resource: Resource) -> dict[str, Any]:
        """Return the object as it is got by name; in a list, objects do not say their kind."""
        return {"kind": resource.kind, "apiVersion": resource.group_version, **self.decoded()}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    items: list[Stored]
    token: str
    """What asks for the next one; empty after the last."""

    remaining: int | None
    revision: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects a list is to hold."""

    namespace: str
    chosen: Test
    selecting: bool
    """Whether there is any selector: then nobody counts what remains."""

    limit: int
    """0 for all."""

    token: str


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: str


class Store:
    """Everything that can be listed; changed by the requests and by tests."""

    def __init__(self, capture: Capture) -> None:
        self.resources: dict[tuple[str, str], Resource] = {}
        self.revision = _REVISION
        self.changed = asyncio.Condition()
        self._objects: dict[str, list[Stored]] = {}
        for resource in STORED:
            found = capture.lists(resource.plural)
            if found is None and resource.plural not in _ALWAYS_THERE:
                continue
            known = _as_served(resource, found or [])
            self.resources[known.group, known.plural] = known
            self._objects[known.plural] = sorted(
                _stored(msgspec.json.decode(item)) for item in found or ()
            )

    def page(self, plural: str, wanted: Wanted) -> Page:
        """Return the objects of a list from where its token left off."""
        revision, start = _read_token(wanted.token, self.revision)
        found: list[Stored] = []
        objects = self._objects[plural]
        space = wanted.namespace
        for index in range(
            bisect_left(objects, start or (space, ""), key=lambda o: o.key), len(objects)
        ):
            item = objects[index]
            if space and item.key[0] != space:
                break
            if not wanted.chosen(item.labels, item.decoded):
                continue
            if wanted.limit and len(found) == wanted.limit:
                left = sum(not space or o.key[0] == space for o in objects[index:])
                token = _token(revision, item.key)
                return Page(found, token, None if wanted.selecting else left, revision)
            found.append(item)
        return Page(found, "", None, revision)

    def find(self, resource: Resource, namespace: str, name: str) -> Stored:
        for item in self.all(resource.plural):
            if item.key == (namespace, name):
                return item
        raise not_found(resource.qualified, name)

    def all(self, plural: str) -> Iterator[Stored]:
        yield from self._objects.get(plural, ())

    def put(self, plural: str, item: dict[str, Any]) -> None:
        """Keep an object, in place of one of the same name."""
        self.revision += 1
        item["metadata"]["resourceVersion"] = str(self.revision)
        stored = _stored(item)
        self.remove(plural, stored.key)
        insort(self._objects[plural], stored)

    def remove(self, plural: str, key: tuple[str, str]) -> None:
        self._objects[plural] = [o for o in self._objects[plural] if o.key != key]


def _stored(item: dict[str, Any]) -> Stored:
    kept = {name: value for name, value in item.items() if name not in {"kind", "apiVersion"}}
    metadata = item["metadata"]
    key = (metadata.get("namespace", ""), metadata["name"])
    return Stored(key, msgspec.json.encode(kept), metadata.get("labels") or {})


class _Version(msgspec.Struct, rename="camel"):
    api_version: str = "v1"


def _as_served(resource: Resource, items: list[msgspec.Raw]) -> Resource:
    """Return the resource in the group and version in which the captured server had it."""
    if not items:
        return resource
    said = msgspec.json.decode(items[0], type=_Version).api_version
    group, _, version = said.rpartition("/")
    return replace(resource, group=group, version=version)


def _token(revision: int, key: tuple[str, str]) -> str:
    token = _Token("meta.k8s.io/v1", revision, "/".join(filter(None, key)) + "\0")
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def _read_token(text: str, revision: int) -> tuple[int, tuple[str, str] | None]:
    if not text:
        return revision, None
    try:
        padded = text + "=" * (-len(text) % 4)
        token = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Token)
    except ValueError as error:
        raise ApiError(400, "continue key is not valid: " + str(error)) from error
    namespace, _, name = token.start.rstrip("\0").rpartition("/")
    return token.rv, (namespace, name)

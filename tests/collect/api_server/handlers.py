"""What each request is answered with, when nothing is the matter."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from tests.collect.api_server import discovery, kubelet, logs
from tests.collect.api_server.authorization import Authorizer
from tests.collect.api_server.capture import Capture
from tests.collect.api_server.pods import created
from tests.collect.api_server.protobuf import read_body
from tests.collect.api_server.requests import Asked
from tests.collect.api_server.resources import REVIEWS, Resource
from tests.collect.api_server.selectors import Test, selection
from tests.collect.api_server.statuses import ApiError, not_found
from tests.collect.api_server.store import Page, Store, Stored, Wanted
from tests.collect.api_server.tables import table

_JSON = "application/json"


@dataclass(slots=True)
class Cluster:
    """What the server plays."""

    capture: Capture
    authorizer: Authorizer = field(default_factory=Authorizer)
    aggregates: bool = True
    """Whether it knows aggregated discovery (1.27 and later)."""

    store: Store = field(init=False)
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.capture)
        self.now = _time_of(self.capture)

    @property
    def resources(self) -> list[Resource]:
        return [*self.store.resources.values(), *REVIEWS]


def _time_of(capture: Capture) -> datetime:
    """Return when the capture was taken: that is the present of its cluster."""
    said = json.loads(capture.text("manifest.json") or "{}").get("createdAt")
    return datetime.fromisoformat(said) if said else datetime.now(UTC)


async def respond(cluster: Cluster, asked: Asked, request: web.Request) -> web.StreamResponse:
    """Answer an authorized request; raises `ApiError`."""
    if not asked.resource:
        return _of_path(cluster, asked, request)
    resource = _known(cluster, asked)
    query = request.query
    match asked.verb, asked.subresource:
        case "get", "log":
            pod = cluster.store.find(resource, asked.namespace, asked.name).decoded()
            return web.Response(
                body=logs.log(cluster.capture, pod, query, cluster.now), content_type="text/plain"
            )
        case "get", "proxy":
            return _proxied(cluster, asked, resource, request)
        case "get", "":
            item = cluster.store.find(resource, asked.namespace, asked.name)
            return _alone(resource, item, request)
        case "list", "":
            return _list(cluster, asked, resource, request)
        case "watch", "":
            return await _watch(cluster, asked, resource, request)
        case "create", "":
            return await _create(cluster, asked, resource, request)
        case "delete", "":
            return await _delete(cluster, asked, resource)
    raise ApiError(405, "the server does not allow this method on the requested resource")


def _known(cluster: Cluster, asked: Asked) -> Resource:
    for resource in cluster.resources:
        same = (resource.group, resource.version, resource.plural)
        if same == (asked.group, asked.version, asked.resource):
            return resource
    raise ApiError(404)


def answer(value: Any, code: int = 200, kind: str = _JSON) -> web.Response:
    """Return an object as an answer."""
    body = msgspec.json.encode(value) + b"\n"
    return web.Response(body=body, status=code, headers={"Content-Type": kind})


def _of_path(cluster: Cluster, asked: Asked, request: web.Request) -> web.Response:
    path = asked.path.rstrip("/")
    if path == "/version":
        version = cluster.capture.files.get("cluster/version.json", b"{}")
        return answer(msgspec.json.decode(version))
    if path in {"/healthz", "/livez", "/readyz"}:
        return web.Response(text="ok")
    if path in {"/api", "/apis"} and cluster.aggregates:
        accepted = [kind.strip() for kind in request.headers.get("Accept", "").split(",")]
        if discovery.AGGREGATED in accepted:
            found = discovery.aggregated(path, cluster.resources)
            return answer(found, kind=discovery.AGGREGATED)
    return answer(discovery.plain(path, cluster.resources))


def _proxied(
    cluster: Cluster, asked: Asked, resource: Resource, request: web.Request
) -> web.Response:
    parts = asked.name.split(":")
    name = parts[1] if len(parts) > 2 else parts[0]
    node = cluster.store.find(resource, "", name).decoded()
    address = next(
        (a["address"] for a in node["status"].get("addresses", []) if a["type"] == "InternalIP"), ""
    )
    found = kubelet.answer(cluster.capture, asked.name, address, asked.rest, request.query)
    headers = {"Content-Type": found.kind}
    return web.Response(body=found.body, status=found.code, headers=headers)


# --- objects ---


def _alone(resource: Resource, item: Stored, request: web.Request) -> web.Response:
    if _as_table(request):
        return answer(table(resource.kind, [item.decoded()], {}))
    return answer(item.alone(resource))


def _list(cluster: Cluster, asked: Asked, resource: Resource, request: web.Request) -> web.Response:
    query = request.query
    selecting = bool(query.get("labelSelector") or query.get("fieldSelector"))
    limit, token = int(query.get("limit", 0)), query.get("continue", "")
    wanted = Wanted(asked.namespace, _chosen(resource, request), selecting, limit, token)
    page = cluster.store.page(resource.plural, wanted)
    if _as_table(request):
        items = [item.decoded() for item in page.items]
        return answer(table(resource.kind, items, _list_metadata(page)))
    return answer(
        {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.group_version,
            "metadata": _list_metadata(page),
            "items": [msgspec.Raw(item.content) for item in page.items],
        }
    )


def _list_metadata(page: Page) -> dict[str, Any]:
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.token:
        metadata["continue"] = page.token
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    return metadata


def _as_table(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def _chosen(resource: Resource, request: web.Request) -> Test:
    query = request.query
    return selection(resource.kind, query.get("labelSelector", ""), query.get("fieldSelector", ""))


async def _watch(
    cluster: Cluster, asked: Asked, resource: Resource, request: web.Request
) -> web.StreamResponse:
    """Send what there is and what is changed, until the client has enough or the time is over."""
    chosen = _chosen(resource, request)
    response = web.StreamResponse(headers={"Content-Type": _JSON})
    await response.prepare(request)
    sent: dict[tuple[str, str], bytes] = {}
    initial = request.query.get("sendInitialEvents") == "true"
    if not initial and request.query.get("resourceVersion", "") not in {"", "0"}:
        sent = {o.key: o.content for o in cluster.store.all(resource.plural)}
    try:
        async with asyncio.timeout(float(request.query.get("timeoutSeconds", 300))):
            while True:
                for kind, item in _changes(cluster, asked, resource, chosen, sent):
                    event = {"type": kind, "object": item.alone(resource)}
                    await response.write(msgspec.json.encode(event) + b"\n")
                if initial:
                    bookmark = {"type": "BOOKMARK", "object": _end_of_initial(cluster, resource)}
                    await response.write(msgspec.json.encode(bookmark) + b"\n")
                    initial = False
                async with cluster.store.changed:
                    await cluster.store.changed.wait()
    except TimeoutError:
        await response.write_eof()
    return response


def _end_of_initial(cluster: Cluster, resource: Resource) -> dict[str, Any]:
    """Return what ends a list that is streamed (WatchList)."""
    revision = str(cluster.store.revision)
    metadata = {"resourceVersion": revision, "annotations": {"k8s.io/initial-events-end": "true"}}
    return {"kind": resource.kind, "apiVersion": resource.group_version, "metadata": metadata}


def _changes(
    cluster: Cluster,
    asked: Asked,
    resource: Resource,
    chosen: Test,
    sent: dict[tuple[str, str], bytes],
) -> list[tuple[str, Stored]]:
    there = {
        o.key: o
        for o in cluster.store.all(resource.plural)
        if asked.namespace in {"", o.key[0]} and chosen(o.labels, o.decoded)
    }
    found = [
        ("MODIFIED" if key in sent else "ADDED", item)
        for key, item in there.items()
        if sent.get(key) != item.content
    ]
    for _, item in found:
        sent[item.key] = item.content
    return found


async def _create(
    cluster: Cluster, asked: Asked, resource: Resource, request: web.Request
) -> web.Response:
    body = read_body(await request.read(), request.content_type)
    if resource in REVIEWS:
        review = cluster.authorizer.review_access
        if resource.kind == "SelfSubjectRulesReview":
            review = cluster.authorizer.review_rules
        return answer({**body, "status": review(body["spec"])}, 201)
    if resource.plural != "pods":
        raise ApiError(403, f"{resource.qualified} is forbidden: this server only makes pods")
    pod = created(body, asked.namespace, cluster.now)
    if request.query.get("dryRun") != "All":
        cluster.store.put("pods", pod)
        await _tell(cluster)
    return answer(pod, 201)


async def _delete(cluster: Cluster, asked: Asked, resource: Resource) -> web.Response:
    item = cluster.store.find(resource, asked.namespace, asked.name)
    if resource.plural != "pods":
        raise not_found(resource.qualified, asked.name)
    cluster.store.remove(resource.plural, item.key)
    await _tell(cluster)
    return answer(item.alone(resource))


async def _tell(cluster: Cluster) -> None:
    async with cluster.store.changed:
        cluster.store.changed.notify_all()

"""An API server on loopback, in a thread of its own: TLS, bearer token, authorization, faults, and a record."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.collect.api_server.certificates import server_context, write_kubeconfig
from tests.collect.api_server.exec import NoContainers, Runtime, execute
from tests.collect.api_server.faults import Action, Fault
from tests.collect.api_server.handlers import Cluster, answer, respond
from tests.collect.api_server.requests import Asked, asked
from tests.collect.api_server.statuses import ApiError

_PATIENCE = 10
"""Seconds in which the server must be up or down."""


@dataclass(slots=True)
class Request:
    """One request as it came in."""

    method: str
    path: str
    query: str
    asked: Asked
    at: float
    """`time.monotonic()`."""

    answered: bool = False
    """Whether the whole answer has been sent, to the end of a command."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f"?{self.query}" if self.query else "")


class ApiServer:
    """The server; `with ApiServer(cluster, directory) as server` has it up inside."""

    def __init__(
        self, cluster: Cluster, directory: Path, *, runtime: Runtime | None = None, port: int = 0
    ) -> None:
        self.cluster = cluster
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.kubeconfig = directory / "kubeconfig"
        self._directory = directory
        self._runtime = runtime or NoContainers()
        self._port = port
        self._token = secrets.token_hex(16)
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner
        self._site: web.TCPSite | None = None
        self._context = server_context(directory)

    def __enter__(self) -> Self:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._run(self._start())
        write_kubeconfig(self._directory, self._port, self._token, "lab")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    @property
    def token(self) -> str:
        """The bearer token, which no bundle may hold."""
        return self._token

    def asked(self, where: Callable[[Request], bool]) -> list[str]:
        """Return the requests that were made, as text."""
        return [str(request) for request in list(self.requests) if where(request)]

    def die(self) -> None:
        """End all connections and take no more."""
        self._run(self._die())

    def revive(self) -> None:
        """Listen again on the same port."""
        self._run(self._listen())

    # --- life ---

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._context)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        self._abort()
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _die(self) -> None:
        site, self._site = self._site, None
        # Not awaited at once: from Python 3.12 on, stopping waits for connections.
        stopping = asyncio.ensure_future(site.stop()) if site else None
        await asyncio.sleep(0)
        self._abort()  # also what was in its handshake when the server died before
        if stopping:
            await stopping

    def _abort(self) -> None:
        server = self._runner.server
        for connection in server.connections if server else ():
            if connection.transport:
                connection.transport.abort()

    # --- one request ---

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        wanted = asked(request.method, request.path, request.query)
        seen = Request(request.method, request.path, request.query_string, wanted, time.monotonic())
        self.requests.append(seen)
        fault = next((fault for fault in self.faults if fault.strikes(str(seen))), None)
        if fault and fault.action is Action.HANG:
            await asyncio.sleep(3600)
        if fault and fault.action is Action.RESET and request.transport:
            request.transport.abort()
        try:
            _refuse(fault)
            response = await self._answer(wanted, request, fault)
            seen.answered = True
        except ApiError as error:
            response = answer(error.body, error.code)
            if error.code == 429 and fault:
                response.headers["Retry-After"] = str(fault.retry_after)
        return response

    async def _answer(
        self, wanted: Asked, request: web.Request, fault: Fault | None
    ) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            raise ApiError(401)
        self.cluster.authorizer.check(wanted)
        if wanted.subresource in {"exec", "attach"}:
            return await execute(self.cluster, self._runtime, wanted, request, fault, self._die)
        response = await respond(self.cluster, wanted, request)
        if fault and isinstance(response, web.Response):
            return await self._half(response, request, fault)
        return response

    async def _half(
        self, response: web.Response, request: web.Request, fault: Fault
    ) -> web.StreamResponse:
        """Send the half of an answer, then do what the fault says."""
        body = response.body
        assert isinstance(body, bytes)
        part = web.StreamResponse(status=response.status, headers=response.headers)
        part.content_length = len(body)
        await part.prepare(request)
        await part.write(body[: len(body) // 2])
        if fault.action is Action.STALL:
            await asyncio.sleep(3600)
        await asyncio.sleep(0.05)
        if fault.action is Action.DIE:
            asyncio.ensure_future(self._die())  # noqa: RUF006 - it ends this very task
        elif request.transport:
            request.transport.abort()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return part


def _refuse(fault: Fault | None) -> None:
    if fault and fault.action is Action.ANSWER:
        raise ApiError(fault.code, fault.message)

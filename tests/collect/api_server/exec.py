"""pods/exec and pods/attach: the remote command protocol over WebSocket (v5.channel.k8s.io and v4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from tests.collect.api_server.authorization import of_upgrade
from tests.collect.api_server.faults import Action, Fault
from tests.collect.api_server.handlers import Cluster
from tests.collect.api_server.logs import container_of
from tests.collect.api_server.requests import Asked
from tests.collect.api_server.statuses import ApiError

_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_CHUNK = 32 * 1024


class CannotStartError(Exception):
    """The container runtime could not start the command; says what it says."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is to run, and where."""

    pod: dict[str, Any]
    container: str
    words: tuple[str, ...]
    """Empty for `attach`: the container's own command."""


class Runtime(Protocol):
    """Starts commands in containers."""

    def runs(self, pod: dict[str, Any], container: str) -> bool:
        """Tell whether a container is up: in another one nothing can be started."""
        ...

    async def start(self, command: Command) -> asyncio.subprocess.Process:
        """Start with pipes for all three streams; raises `CannotStartError`."""
        ...


class NoContainers:
    """A runtime of which no container has a single program."""

    def runs(self, pod: dict[str, Any], container: str) -> bool:
        return bool(pod and container)

    async def start(self, command: Command) -> asyncio.subprocess.Process:
        raise CannotStartError(command.words[0] if command.words else "")


async def execute(  # noqa: PLR0913, PLR0917 - a request and all that it may run into
    cluster: Cluster,
    runtime: Runtime,
    asked: Asked,
    request: web.Request,
    fault: Fault | None,
    die: Callable[[], Awaitable[None]],
) -> web.StreamResponse:
    """Run a command for a client and stream to and fro; raises `ApiError` before the upgrade."""
    cluster.authorizer.check(of_upgrade(asked))
    resource = cluster.store.resources["", "pods"]
    pod = cluster.store.find(resource, asked.namespace, asked.name).decoded()
    container = container_of(pod, request.query.get("container", ""))
    words = tuple(request.query.getall("command", []))
    if asked.subresource == "exec" and not words:
        raise ApiError(400, "you must specify at least 1 command for the container")
    phase = pod.get("status", {}).get("phase")
    if phase in {"Succeeded", "Failed"}:
        raise ApiError(
            400, f"cannot exec into a container in a completed pod; current phase is {phase}"
        )
    if not runtime.runs(pod, container):
        raise ApiError(500, f'container not found ("{container}")')
    socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
    await socket.prepare(request)
    stream = _Stream(socket, request, fault, die)
    try:
        process = await runtime.start(Command(pod, container, words))
    except CannotStartError as error:
        await socket.send_bytes(bytes([_ERROR]) + json.dumps(_not_started(str(error))).encode())
    else:
        await stream.serve(process)
    await socket.close()
    return socket


class _Stream:
    """One running command and its client."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        fault: Fault | None,
        die: Callable[[], Awaitable[None]],
    ) -> None:
        self._socket = socket
        self._request = request
        self._fault = fault
        self._die = die
        self._wanted = {
            number
            for number, name in ((_STDIN, "stdin"), (_STDOUT, "stdout"), (_STDERR, "stderr"))
            if request.query.get(name) == "true"
        }
        self._sent = 0

    async def serve(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        assert process.stderr
        incoming = asyncio.ensure_future(self._receive(process))
        try:
            await asyncio.gather(
                self._send(process.stdout, _STDOUT), self._send(process.stderr, _STDERR)
            )
            code = await process.wait()
            if self._fault is None or self._fault.action is not Action.MUTE:
                text = json.dumps(_exited(code)).encode()
                await self._socket.send_bytes(bytes([_ERROR]) + text)
        except ConnectionError:
            pass  # the client has gone; the command runs on, as it does in a container
        finally:
            incoming.cancel()
            process._transport.close()  # type: ignore[attr-defined]  # asyncio has no other way

    async def _receive(self, process: asyncio.subprocess.Process) -> None:
        stdin = process.stdin
        assert stdin
        if _STDIN not in self._wanted:
            stdin.close()
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, content = message.data[0], message.data[1:]
            try:
                if channel == _STDIN and content:
                    stdin.write(content)
                    await stdin.drain()
                elif channel == _CLOSE and content == bytes([_STDIN]):
                    stdin.close()
            except ConnectionError:
                continue  # the command reads no more
        stdin.close()

    async def _send(self, stream: asyncio.StreamReader, channel: int) -> None:
        while content := await stream.read(_CHUNK):
            if channel not in self._wanted:
                continue
            await self._suffer(len(content))
            await self._socket.send_bytes(bytes([channel]) + content)

    async def _suffer(self, count: int) -> None:
        """Let the fault of the request happen when enough has been sent."""
        self._sent += count
        if (
            self._fault is None
            or self._fault.action is Action.MUTE
            or self._sent < self._fault.after
        ):
            return
        if self._fault.action is Action.DIE:
            await self._die()
        elif self._fault.action is Action.CUT and self._request.transport:
            self._request.transport.abort()
        await asyncio.sleep(3600)


def _exited(code: int) -> dict[str, Any]:
    """Return the status that ends a command (kubelet cri/streaming/remotecommand)."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    code = code if code > 0 else 128 - code
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: error executing command, exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _not_started(program: str) -> dict[str, Any]:
    """Return the status of a program that is not in the image (containerd and runc)."""
    said = (
        'error executing command in container: failed to exec in container: failed to start exec "0": OCI runtime '
        f'exec failed: exec failed: unable to start container process: exec: "{program}": executable file not found '
        "in $PATH: unknown"
    )
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "InternalError",
        "message": f"Internal error occurred: {said}",
        "details": {"causes": [{"message": said}]},
        "code": 500,
    }

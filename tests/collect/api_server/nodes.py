"""The containers of a capture: kube-proxy's on each node, and of ordinary pods the files that were read in them."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.collect.api_server.capture import Capture
from tests.collect.api_server.container import Container, Image, command_of
from tests.collect.api_server.exec import CannotStartError, Command
from tests.collect.api_server.machine import Machine
from tests.kernel import namespaces

_CONFIG = re.compile(r"--config[= ](\S+)")
_MINOR = re.compile(r":v1\.(\d+)\.")
_FIRST_DISTROLESS = 25


def why_impossible() -> str:
    """Say why containers cannot be run here; empty where they can."""
    missing = [name for name in ("nsenter", "unshare", "nft") if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}: no kube-proxy container is run"
    reason = namespaces.why_impossible()
    if reason:
        return reason.replace(
            "rulesets are not run in the kernel", "no kube-proxy container is run"
        )
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return (
        f"no mount namespaces ({tried.stderr.strip()}): no kube-proxy container is run"
        if tried.returncode
        else ""
    )


class Nodes:
    """A `Runtime` over the nodes and pods of a capture; containers start with the first command in them."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._containers: dict[str, tuple[Machine, Container]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._directory = Path(tempfile.mkdtemp(prefix="svcbundle-pods-"))

    def runs(self, pod: dict[str, Any], container: str) -> bool:
        """Tell whether a container is up; that of a kube-proxy is, unless the capture shows none at work."""
        if container != "kube-proxy":
            return True
        processes = self._capture.text(f"nodes/{pod['spec'].get('nodeName')}/processes.txt")
        return processes is None or "kube-proxy" in processes

    async def start(self, command: Command) -> asyncio.subprocess.Process:
        if _is_on_node(command.pod):
            words, environment = await self._on_node(command)
        else:
            words, environment = self._in_pod(command), {}
        return await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )

    def machine(self, node: str) -> Machine:
        return self._containers[node][0]

    def container(self, node: str) -> Container:
        return self._containers[node][1]

    def close(self) -> None:
        for machine, container in self._containers.values():
            container.close()
            machine.close()
        shutil.rmtree(self._directory)

    async def _on_node(self, command: Command) -> tuple[list[str], dict[str, str]]:
        spec = command.pod["spec"]
        node, image = spec["nodeName"], spec["containers"][0].get("image", "")
        async with self._locks.setdefault(node, asyncio.Lock()):
            if node not in self._containers:
                self._containers[node] = await asyncio.to_thread(self._started, node, image)
        container = self.container(node)
        words = command.words or _own_command(command)
        if not container.has(words[0]):
            raise CannotStartError(words[0])
        return container.entering(words)

    def _started(self, node: str, image: str) -> tuple[Machine, Container]:
        machine = Machine(self._capture, node, f"n{len(self._locks)}{node[-4:]}")
        command = command_of(self._capture.text(f"nodes/{node}/processes.txt") or "")
        saved = self._capture.text(f"nodes/{node}/iptables-save.txt") or ""
        head = saved.partition("\n")[0]
        legacy = "-save v" in head and "nf_tables" not in head
        version = _MINOR.search(image)
        debian = version is not None and int(version[1]) < _FIRST_DISTROLESS
        files = self._files_of(node, command)
        return machine, Container(machine, Image(command, files, legacy, debian))

    def _files_of(self, node: str, command: tuple[str, ...]) -> dict[str, bytes]:
        root = f"root/{node}/"
        files = {
            f"/{path.removeprefix(root)}": content
            for path, content in self._capture.files.items()
            if path.startswith(root)
        }
        files["/etc/resolv.conf"] = self._capture.node(node, "resolv.conf") or b""
        config = _CONFIG.search(" ".join(command))
        if config:
            files[config[1]] = self._capture.node(node, "kube-proxy-config.yaml") or b""
        return files

    def _in_pod(self, command: Command) -> list[str]:
        metadata = command.pod["metadata"]
        path = f"pods/{metadata['namespace']}/{metadata['name']}/"
        files = {name: text for name, text in self._capture.files.items() if name.startswith(path)}
        program, *arguments = command.words or ("",)
        if program != "cat" or not files:
            raise CannotStartError(program)
        for name, content in files.items():
            file = self._directory / name.replace(path, f"{path}etc/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return ["/bin/cat", *(f"{self._directory / path}{argument}" for argument in arguments)]


def _is_on_node(pod: dict[str, object]) -> bool:
    spec = pod["spec"]
    assert isinstance(spec, dict)
    return bool(spec.get("hostNetwork")) and (
        spec["containers"][0]["name"] == "kube-proxy"
        or "kube-proxy" in spec["containers"][0].get("image", "")
    )


def _own_command(command: Command) -> tuple[str, ...]:
    for container in command.pod["spec"]["containers"]:
        if container["name"] == command.container:
            return (*container.get("command", ()), *container.get("args", ())) or ("sleep", "86400")
    return ()

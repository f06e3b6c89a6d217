"""A kube-proxy container on a machine: own mounts and processes, and of programs only what its image has.

Contents: kubernetes/release images/build/distroless-iptables (bookworm, 2026), and debian-iptables before 1.25.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.collect.api_server.machine import Machine

_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = ("cat", "chmod", "dash", "grep", "ipset", "kmod", "ln", "nft", "rm", "sleep", "wc")
_OF_DEBIAN = (
    "awk", "bash", "conntrack", "cp", "cut", "date", "env", "head", "id", "ls", "mkdir", "readlink", "sed", "sort",
    "stat", "tail", "tar", "timeout", "tr", "uname",
)  # fmt: skip
"""What the older image, a small Debian, has beyond."""

_TABLES = tuple(
    f"{family}{flavour}{act}"
    for family in ("iptables", "ip6tables")
    for flavour in ("-legacy", "-nft", "")
    for act in ("", "-save", "-restore")
)
_MODPROBE = '#!/bin/sh\necho "$@" >>/run/modules-asked-for\n'
"""In place of the real one, so that a test can see who wanted to load a module."""

_SET_UP = """
set -e
mount --make-rprivate /
mkdir -p "$root"
mount -t tmpfs none "$root"
cd "$root"
mkdir -p usr/lib usr/lib64 usr/bin usr/sbin usr/local/bin proc sys dev run tmp etc
for name in lib lib64 bin sbin; do ln -s usr/$name $name; done
mount --bind /usr/lib usr/lib
[ ! -d /usr/lib64 ] || mount --bind /usr/lib64 usr/lib64
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
cp -a "$files/." .
exec chroot . "$@"
"""


@dataclass(frozen=True, slots=True)
class Image:
    """What a container is made of."""

    command: tuple[str, ...]
    """Its first process."""

    files: Mapping[str, bytes]
    """What is laid into its root, by path."""

    legacy: bool
    """Whether `iptables` is the legacy one, as the image's wrapper finds out."""

    debian: bool
    """Whether it is the older image."""


class Container:
    """A running kube-proxy, and commands beside it."""

    def __init__(self, machine: Machine, image: Image) -> None:
        command = image.command
        self._directory = Path(tempfile.mkdtemp(prefix="svcbundle-container-"))
        staged = self._directory / "files"
        _stage_programs(staged, image)
        shutil.copy(str(shutil.which("echo")), _made(staged / command[0].lstrip("/")))
        for path, content in image.files.items():
            _made(staged / path.lstrip("/")).write_bytes(content)
        self._process = self._run(machine, staged, command)
        self.pid = self._first_process(command[0])

    def _run(
        self, machine: Machine, staged: Path, command: tuple[str, ...]
    ) -> subprocess.Popen[bytes]:
        """Run the main process: echo under the name of kube-proxy, which a full pipe keeps from ending."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writing, b"\0" * 65536):
                pass
        os.set_blocking(writing, True)
        self._pipe = reading
        words = [
            "ip",
            "netns",
            "exec",
            machine.namespace.name,
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
        ]
        try:
            return subprocess.Popen(
                [*words, "sh", "-c", _SET_UP, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.PIPE,
                env={
                    "PATH": os.environ["PATH"],
                    "root": str(self._directory / "root"),
                    "files": str(staged),
                },
            )
        finally:
            os.close(writing)

    def _first_process(self, program: str) -> int:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            for child in children.read_text().split():
                if Path(f"/proc/{child}/cmdline").read_bytes().startswith(program.encode() + b"\0"):
                    return int(child)
            time.sleep(0.005)
        self._process.kill()
        assert self._process.stderr
        raise RuntimeError(self._process.stderr.read().decode())

    def has(self, program: str) -> bool:
        """Tell whether a program is in the image."""
        root = Path(f"/proc/{self.pid}/root")
        places = [""] if "/" in program else _SEARCH.split(":")
        return any(os.path.lexists(root / f"{place}/{program}".lstrip("/")) for place in places)

    def entering(self, words: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
        """Return the command line and the environment that run a command inside."""
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--net", "--pid", "--root", "--wd"]
        return [*enter, "--", *words], {"PATH": _SEARCH, "HOME": "/root"}

    def modules_asked_for(self) -> str:
        asked = Path(f"/proc/{self.pid}/root/run/modules-asked-for")
        return asked.read_text() if asked.exists() else ""

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        os.close(self._pipe)
        shutil.rmtree(self._directory, ignore_errors=True)


def command_of(processes: str) -> tuple[str, ...]:
    """Return kube-proxy's command line from the lines of `ps`."""
    for line in processes.splitlines():
        at = line.find("/kube-proxy ")
        if at >= 0:
            return tuple(shlex.split(line[line.rindex(" ", 0, at) + 1 :]))
    return ("/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf")


def _stage_programs(staged: Path, image: Image) -> None:
    for name in (*_PROGRAMS, *(_OF_DEBIAN if image.debian else ())):
        found = shutil.which(name)
        if found:
            place = staged / ("usr/sbin" if "sbin" in found else "usr/bin") / name
            shutil.copy(found, _made(place))
    (staged / "usr/bin/sh").symlink_to("dash")
    sbin = staged / "usr/sbin"
    sbin.mkdir(parents=True, exist_ok=True)
    for flavour in ("legacy", "nft"):
        shutil.copy(f"/usr/sbin/xtables-{flavour}-multi", sbin)
    for name in _TABLES:
        flavour = "legacy" if "-legacy" in name or ("-nft" not in name and image.legacy) else "nft"
        (sbin / name).symlink_to(f"xtables-{flavour}-multi")
    (sbin / "lsmod").symlink_to("kmod")
    (sbin / "modprobe").write_text(_MODPROBE)
    (sbin / "modprobe").chmod(0o755)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path

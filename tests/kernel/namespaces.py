"""Network namespaces for one test run: made by `ip netns`, entered for a moment to open sockets, removed at the end."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

_CLONE_NEWNET = 0x40000000
_PROGRAMS = ("ip", "iptables-nft-restore", "iptables-legacy-restore", "ipset")
_LIBC = ctypes.CDLL(None, use_errno=True)


def why_impossible() -> str:
    """Say why rulesets cannot be run in the kernel here; empty where they can."""
    if os.geteuid() != 0:
        return "not root: rulesets are not run in the kernel"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}: rulesets are not run in the kernel"
    name = f"svcb{token_hex(4)}probe"
    tried = subprocess.run(
        ["ip", "netns", "add", name], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        return f"no network namespaces ({tried.stderr.strip()}): rulesets are not run in the kernel"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return ""


class Namespace:
    """One network namespace."""

    def __init__(self, label: str) -> None:
        self.name = f"svcb{token_hex(4)}{label}"  # a process number comes again
        subprocess.run(["ip", "netns", "add", self.name], check=True)

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def run(self, *command: str, text: str = "") -> str:
        """Run a command inside; return what it prints, raise with what it complains of."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{text}")
        return done.stdout

    def ip(self, words: str) -> None:
        self.run("ip", *words.split())

    def socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """Open a socket inside; it stays there whoever uses it."""
        with self.entered():
            opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        return opened

    def server(self, kind: int, port: int) -> socket.socket:
        """Listen on a port of every address inside, and never say anything but what TCP says by itself."""
        opened = self.socket(socket.AF_INET6, kind, 0)  # takes IPv4 as well
        opened.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            opened.listen()
        return opened

    @contextmanager
    def entered(self) -> Iterator[None]:
        with (
            Path("/proc/thread-self/ns/net").open() as home,
            Path(f"/var/run/netns/{self.name}").open() as inside,
        ):
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")

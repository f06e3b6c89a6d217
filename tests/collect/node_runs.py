"""Runs of node.sh: by which shell, with which programs, where."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.collect.node_script import NodeSettings, script
from analyzer.collect.node_stream import NodeStream, read_node_stream
from tests.collect.node_frames import Kept

SHELLS = {"dash": ("dash",), "busybox": ("busybox", "ash"), "bash": ("bash", "--posix")}

_TABLES = ("iptables", "ip6tables")
IMAGE = (
    "cat",
    "chmod",
    "grep",
    "ipset",
    "ln",
    "nft",
    "rm",
    "sleep",
    "wc",
    *(f"{t}{f}{a}" for t in _TABLES for f in ("", "-legacy", "-nft") for a in ("", "-save")),
)
"""What kube-proxy's image has, as far as the script uses it (kubernetes/release, distroless-iptables, 2026)."""


def shell(name: str) -> tuple[str, ...]:
    """Return the words that start a shell, or skip the test where it is not installed."""
    program, *rest = SHELLS[name]
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} here: node.sh is not run in it")
    return (found, *rest)


def programs(directory: Path, names: tuple[str, ...] = IMAGE) -> Path:
    """Return a directory to be the PATH, with those of the programs that are installed."""
    directory.mkdir()
    for name in names:
        found = shutil.which(name)
        if found is not None:
            (directory / name).symlink_to(os.path.realpath(found) if "/" in name else found)
    return directory


def program(directory: Path, name: str, text: str) -> None:
    """Put a program of our own, in sh, into a PATH."""
    path = directory / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run."""

    stream: NodeStream
    contents: Mapping[str, bytes]
    stderr: str

    def text(self, name: str) -> str:
        return self.contents[name].decode()

    @property
    def missing(self) -> dict[str, str]:
        return {m.name: m.reason for m in self.stream.missing}


def run(
    settings: NodeSettings,
    words: tuple[str, ...],
    *,
    path: Path | None = None,
    text: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run the script as `words... -s`, from standard input, as kubectl exec does."""
    done = subprocess.run(
        [*words, "-s"],
        input=script(settings) if text is None else text,
        capture_output=True,
        env={
            "PATH": str(path) if path else os.environ["PATH"],
            "HOME": "/",
            **(environment or {}),
        },
        timeout=60,
        check=False,
    )
    kept = Kept()
    return Run(
        read_node_stream(io.BytesIO(done.stdout), kept, nonce=settings.nonce),
        kept.contents,
        done.stderr.decode(),
    )


def functions(settings: NodeSettings, call: str) -> bytes:
    """Return the script with a call of one of its functions in place of `main`."""
    text = script(settings)
    assert text.endswith(b"\nmain\n")
    return text.removesuffix(b"main\n") + f"settings\n{call}\n".encode()

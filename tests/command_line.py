"""The command line as a test calls it: in this process, which is quick, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from analyzer.cli import main

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str


def svcbundle(*words: object, stdin: bytes = b"", **environment: str) -> Ran:
    """Run a command in this process, in a terminal of 100 columns unless COLUMNS says otherwise."""
    out, err = (_stream(b""), _stream(b""))
    with (
        patch.object(sys, "argv", ["svcbundle", *map(str, words)]),
        patch.object(sys, "stdin", _stream(stdin)),
        patch.dict(os.environ, {"COLUMNS": "100"} | environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code
    assert isinstance(status, int)
    return Ran(status, _written(out), _written(err))


def command(*words: object) -> list[str]:
    """Return the command line that runs svcbundle in a process of its own."""
    return [sys.executable, "-m", "analyzer", *map(str, words)]


def spawned(*words: object, stdin: bytes = b"", **environment: str) -> Ran:
    """Run a command in a process of its own."""
    done = subprocess.run(
        command(*words), input=stdin, capture_output=True, check=False, env=settings(environment)
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that finds the package wherever it runs."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment}


def _stream(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()

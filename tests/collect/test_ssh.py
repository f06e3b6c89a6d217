"""`--node-access ssh` by a real ssh client, logged in at a real sshd in a network namespace with rules."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bundles import sample
from tests.collect.collected import Collected
from tests.collect.conftest import Labs
from tests.kernel.namespaces import Namespace, why_impossible

PROGRAMS = ("ssh", "sshd", "ssh-keygen", "unshare", "iptables-nft-restore")
ONE_NODE = ("--no-pod-exec", "--no-preflight", "--nodes=node-a", "--node-access=ssh")
PORT = 2222
RULES = """*nat
:KUBE-SERVICES - [0:0]
-A KUBE-SERVICES -d 10.96.0.10/32 -j RETURN
COMMIT
"""
_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {place}/host
AuthorizedKeysFile {place}/authorized
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
Banner {place}/banner
ForceCommand echo "Welcome to this machine"; sh -c "$SSH_ORIGINAL_COMMAND"
"""
_CLIENT = """\
Host *
    HostName 127.0.0.1
    HostKeyAlias node
    Port {port}
    IdentityFile {place}/{key}
    IdentitiesOnly yes
    UserKnownHostsFile {place}/known
    GlobalKnownHostsFile /dev/null
"""
_STARTED = 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"'


@dataclass(frozen=True, slots=True)
class Server:
    """A node that can be logged in at."""

    namespace: Namespace
    place: Path

    def client(self, *, key: str = "user", known: bool = True) -> None:
        """Write an ssh that goes to this node whatever address it is given."""
        host = (self.place / "host.pub").read_text()
        (self.place / "known").write_text(f"[node]:{PORT} {host}node {host}" if known else "")
        (self.place / "config").write_text(_CLIENT.format(port=PORT, place=self.place, key=key))
        program = self.place / "bin" / "ssh"
        program.parent.mkdir(exist_ok=True)
        inside = f"{shutil.which('ip')} netns exec {self.namespace.name}"
        program.write_text(
            f'#!/bin/sh\nexec {inside} {shutil.which("ssh")} -F {self.place}/config "$@"\n'
        )
        program.chmod(0o755)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if reason := why_impossible():
        pytest.skip(reason)
    for name in PROGRAMS:
        if shutil.which(name) is None:
            pytest.skip(f"no {name} here (openssh-server): nobody logs in at a node")
    place = tmp_path / "ssh"
    place.mkdir()
    for name in ("host", "user", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
        subprocess.run(command, check=True)
    shutil.copy(place / "user.pub", place / "authorized")
    (place / "banner").write_text("Authorised persons only\n")
    (place / "sshd_config").write_text(_SERVER.format(port=PORT, place=place))
    namespace = Namespace("ssh")
    words = [str(shutil.which("sshd")), "-D", "-e", "-f", str(place / "sshd_config")]
    inside = ["ip", "netns", "exec", namespace.name, "unshare", "--mount", "sh", "-c", _STARTED]
    try:
        namespace.ip("link set lo up")
        namespace.run("iptables-nft-restore", text=RULES)
        with subprocess.Popen([*inside, "sh", *words], stderr=subprocess.PIPE) as process:
            try:
                _wait(namespace, process)
                monkeypatch.setenv("PATH", f"{place}/bin:{os.environ['PATH']}")
                yield Server(namespace, place)
            finally:
                process.terminate()
    finally:
        namespace.remove()


def _wait(namespace: Namespace, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while f":{PORT:04X}" not in namespace.run("cat", "/proc/net/tcp"):
        if process.poll() is not None:
            assert process.stderr
            pytest.skip(f"sshd does not run here: {process.stderr.read().decode().strip()}")
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_login_gives_what_node_sh_says_on_the_node(
    server: Server, labs: Labs, tmp_path: Path
) -> None:
    server.client()
    lab = labs.serve(sample("healthy"))
    done = lab.collect(tmp_path / "b.tgz", *ONE_NODE, "--ssh-user=root")
    bundle = Collected(tmp_path / "b.tgz")
    assert bundle.manifest["nodes"] == {"node-a": {"method": "ssh"}}, done.stdout
    assert b"-A KUBE-SERVICES -d 10.96.0.10/32" in bundle.files["nodes/node-a/iptables-save.txt"]
    assert bundle.of_node("node-a") >= {"ip-route.json", "sysctl.txt", "sockets.txt"}
    assert b"Welcome" not in b"".join(bundle.files.values())


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda server: server.client(key="stranger"), "Permission denied"),
        (lambda server: server.client(known=False), "Host key verification failed"),
    ],
    ids=["a key that the node does not know", "a node that the user does not know"],
)
def test_a_login_that_is_refused_is_said_and_nothing_asks_for_a_password(
    server: Server, labs: Labs, tmp_path: Path, made: Callable[[Server], None], said: str
) -> None:
    made(server)
    lab = labs.serve(sample("healthy"))
    began = time.monotonic()
    done = lab.collect(tmp_path / "b.tgz", *ONE_NODE, "--ssh-user=root")
    assert time.monotonic() - began < 60
    assert done.returncode == 1
    bundle = Collected(tmp_path / "b.tgz")
    assert said in bundle.missing["nodes/node-a/iptables-save.txt"]
    assert bundle.manifest["nodes"] == {}

"""A generated cluster behind the API server of the tests.

`python -m bench.api_server --services 5000 --nodes 200 DIRECTORY` prints the path of a kubeconfig.
Its nodes answer the collector script with one recorded answer, under each one's own name and nonce.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click
import msgspec

from analyzer.collect.node_script import NodeSettings, script
from bench import objects
from bench.generate import DUMPS
from bench.plan import Plan, PlannedNode
from bench.rules import iptables_save
from tests.collect.api_server.capture import Capture
from tests.collect.api_server.exec import CannotStartError, Command
from tests.collect.api_server.handlers import Cluster
from tests.collect.api_server.server import ApiServer

_NODE, _NONCE = "recorded-node", "f" * 32
_PROGRAMS = {
    "iptables": 'echo "iptables v1.8.9 (nf_tables)"',
    "iptables-save": 'exec cat "${0%/*}/rules"',
    "ip6tables-save": "exit 0",
    "nft": """echo '{"nftables": []}'""",
}
"""What the recorded node runs in place of its own programs."""

_REPLAY = """
nonce= node=
while read -r line; do
    case $line in
    svcbundle_nonce=*) nonce=${line#*=} ;;
    svcbundle_node=*) node=${line#*=} ;;
    main) break ;;
    esac
done
sed "s/$recorded_nonce/$nonce/g; 1s/$recorded_node/$node/" "$recorded"
cat >/dev/null
"""


class Recorded:
    """A `Runtime` whose containers all say what one of them said once."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._recorded = directory / "recorded"
        programs = directory / "bin"
        programs.mkdir()
        saved = "".join(iptables_save(plan, plan.node_list[0]))
        (programs / "rules").write_text(saved)
        for name, text in _PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        self._record(programs)

    def _record(self, programs: Path) -> None:
        settings = NodeSettings(node=_NODE, nonce=_NONCE, logs=False)
        with self._recorded.open("wb") as file:
            subprocess.run(
                ["/bin/sh", "-s"],
                input=script(settings),
                stdout=file,
                stderr=subprocess.DEVNULL,
                env={"PATH": f"{programs}:/usr/bin:/bin"},
                check=True,
            )

    def runs(self, pod: objects.Json, container: str) -> bool:
        """Tell whether a container is up: all are."""
        return bool(pod and container)

    async def start(self, command: Command) -> asyncio.subprocess.Process:
        """Give what was recorded, whatever is asked of a shell; other programs are not there."""
        if command.words[:1] != ("sh",):
            raise CannotStartError(command.words[0])
        return await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            _REPLAY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": "/usr/bin:/bin",
                "recorded": str(self._recorded),
                "recorded_node": _NODE,
                "recorded_nonce": _NONCE,
            },
        )


def _capture(plan: Plan) -> Capture:
    files = {
        f"cluster/{name}.json": msgspec.json.encode({"items": list(items(plan))})
        for name, items in DUMPS.items()
    }
    pods = msgspec.json.decode(files["cluster/pods.json"], type=dict[str, list[msgspec.Raw]])[
        "items"
    ]
    proxies = [objects.kube_proxy(node) for node in plan.node_list]
    files["cluster/pods.json"] = msgspec.json.encode({"items": [*pods, *proxies]})
    version = {"major": "1", "minor": "30", "gitVersion": objects.VERSION}
    files["cluster/version.json"] = msgspec.json.encode(version)
    for node in plan.node_list:
        files[f"nodes/{node.name}/kube-proxy.log"] = _log(node)
    return Capture(files)


def _log(node: PlannedNode) -> bytes:
    said = f'"SyncProxyRules complete" elapsed="79ms" node="{node.name}"'
    line = f"I1123 02:51:18.501435       1 proxier.go:799] {said}\n"
    return line.encode() * 20_000


@click.command()
@click.option("--services", type=int, required=True)
@click.option("--nodes", type=int, required=True)
@click.argument("directory", type=click.Path(path_type=Path))
def main(services: int, nodes: int, directory: Path) -> None:
    """Serve until terminated; the kubeconfig is in the directory once its path is printed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    plan = Plan(services=services, nodes=nodes)
    runtime = Recorded(plan, directory)
    with ApiServer(Cluster(_capture(plan)), directory, runtime=runtime) as server:
        sys.stdout.write(f"{server.kubeconfig}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()

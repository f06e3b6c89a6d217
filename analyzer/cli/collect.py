"""The command `svcbundle collect`: options -> collection -> summary -> exit status."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click

from analyzer.cli.language_option import language_option
from analyzer.cli.meter import Meter
from analyzer.cli.options import QUIET
from analyzer.cli.output import write
from analyzer.collect.options import NodeAccess, Options, node_choice, object_name
from analyzer.errors import UsageError

_DURATION: Final = re.compile(r"(\d{1,9})([smhd]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE: Final = re.compile(r"(\d{1,12})([kmg]?)(?:i?b)?", re.IGNORECASE)
_BYTES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MOST_LOG_BYTES: Final = 256 << 20


def _duration(_context: click.Context, _param: click.Parameter, text: str) -> int:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r}: expected a duration such as 90, 30m, 6h or 2d")
    return int(found[1]) * _SECONDS[found[2]]


def _size(_context: click.Context, _param: click.Parameter, text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r}: expected a size such as 500k or 10M")
    return max(1, min(int(found[1]) * _BYTES[found[2].lower()], _MOST_LOG_BYTES))


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The bundle [svcbundle-CLUSTER-TIME.tgz].",
)
@click.option("--kubectl", default="kubectl", metavar="PATH", help="The kubectl to use [kubectl].")
@click.option("--kubeconfig", default="", metavar="FILE", help="The kubeconfig to use.")
@click.option("--context", default="", metavar="NAME", help="The context to use.")
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Only objects of this namespace, and of kube-system (repeatable).",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAMESPACE/NAME",
    help="Look into the nodes of this Service's endpoints (repeatable).",
)
@click.option(
    "--nodes",
    metavar="all|N|NAME,...",
    help="Which nodes to look into [all, or a sample of 20].",
)
@click.option(
    "--node-access",
    type=click.Choice(["exec", "debug", "ssh", "none"]),
    default="exec",
    show_default=True,
    help="How to get into nodes: exec in kube-proxy's pods; debug creates a pod on each node and deletes it.",
)
@click.option(
    "--debug-image",
    default="",
    metavar="IMAGE",
    help="Image for --node-access debug [kube-proxy's, which the node has].",
)
@click.option("--ssh-user", default="", metavar="NAME", help="Login for --node-access ssh.")
@click.option(
    "--pod",
    "pods",
    multiple=True,
    metavar="NAMESPACE/NAME",
    help="Read this pod's resolv.conf, and look into its node (repeatable).",
)
@click.option("--no-pod-exec", is_flag=True, help="Run nothing in pods but kube-proxy's.")
@click.option(
    "--since", callback=_duration, default="0", metavar="DURATION", help="Only logs this recent."
)
@click.option(
    "--log-bytes",
    callback=_size,
    default="10M",
    show_default=True,
    metavar="SIZE",
    help="Most of each log, from its end.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Commands at a time."
)
@click.option(
    "--timeout",
    "command_seconds",
    callback=_duration,
    default="60",
    show_default=True,
    metavar="DURATION",
    help="Limit of one command.",
)
@click.option(
    "--node-timeout",
    "node_seconds",
    callback=_duration,
    default="180",
    show_default=True,
    metavar="DURATION",
    help="Limit of node.sh on one node.",
)
@click.option(
    "--total-timeout",
    "total_seconds",
    callback=_duration,
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="Limit of the whole.",
)
@click.option(
    "--no-preflight", is_flag=True, help="Do not ask first what is allowed; try everything."
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ask only for what this bundle, or a collection that was ended, lacks.",
)
@click.option(
    "--add",
    "added",
    multiple=True,
    metavar="[NODE=]FILE",
    help="Put in the output of node.sh, run by hand on a node (repeatable).",
)
@click.option("--no-cluster", is_flag=True, help="Ask no cluster: only --add, --node, --resume.")
@click.option("--node", "local", is_flag=True, help="Collect the node that this runs on.")
@click.option("--node-name", default="", metavar="NAME", help="Its name, for --node [hostname].")
@click.option("--print-node-script", is_flag=True, help="Print node.sh, to be run by hand.")
@click.option("--print-rbac", is_flag=True, help="Print the least ClusterRole that suffices.")
@click.option("--dry-run", is_flag=True, help="Print every command that would run, and on what.")
@QUIET
@language_option
def collect(**given: Any) -> int:  # noqa: ANN401 - click's values, by option
    """Gather a bundle from the cluster of the current kubeconfig context.

    Needs kubectl and no image that is not on the nodes; never asks for Secrets; changes nothing, unless
    --node-access debug is given. Exit status: 0 all that was asked for came, 1 a bundle was written and
    something is missing, 2 wrong usage, 3 nothing could be collected.
    """
    from analyzer.collecting import Request, collect_bundle, dry_run, node_script, role

    options = _options(given)
    if given["print_node_script"]:
        write(node_script().decode())
        return 0
    if given["print_rbac"]:
        write(role(options))
        return 0
    if given["dry_run"]:
        write(dry_run(options))
        return 0
    request = Request(
        given["output"],
        given["resume"],
        given["added"],
        local=given["local"],
        node_name=given["node_name"],
        cluster=not (given["no_cluster"] or given["local"]),
    )
    meter = Meter(enabled=not given["quiet"])
    try:
        result = collect_bundle(options, request, meter)
    finally:
        meter.end()
    try:
        write(result.summary)
    except UsageError as unwritten:  # the bundle is there, whoever could not be told
        meter.say(str(unwritten))
    return 0 if result.complete else 1


def _options(given: dict[str, Any]) -> Options:
    return Options(
        kubectl=given["kubectl"],
        kubeconfig=given["kubeconfig"],
        context=given["context"],
        namespaces=given["namespaces"],
        services=tuple(object_name("--service", text) for text in given["services"]),
        pods=tuple(object_name("--pod", text) for text in given["pods"]),
        pod_exec=not given["no_pod_exec"],
        nodes=node_choice(given["nodes"] or ""),
        node_access=NodeAccess(given["node_access"]),
        debug_image=given["debug_image"],
        ssh_user=given["ssh_user"],
        since_seconds=given["since"],
        log_bytes=given["log_bytes"],
        jobs=given["jobs"],
        command_seconds=given["command_seconds"],
        node_seconds=given["node_seconds"],
        total_seconds=given["total_seconds"],
        preflight=not given["no_preflight"],
    )

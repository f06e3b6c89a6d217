"""Every command that a collection would run, and on what."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from analyzer.collect import context
from analyzer.collect.api import Api, raw_get
from analyzer.collect.listing import page_query
from analyzer.collect.node_access import (
    Door,
    NoWayInError,
    debug_arguments,
    delete_arguments,
    exec_arguments,
    ssh_command,
    wait_arguments,
)
from analyzer.collect.node_choice import Chosen
from analyzer.collect.node_files import (
    PROXY_ANSWERS,
    configz_path,
    kubelet_log_paths,
    log_arguments,
    proxy_answer_path,
)
from analyzer.collect.options import NodeAccess
from analyzer.collect.permissions import needed
from analyzer.collect.pod_files import cat_arguments, samples
from analyzer.collect.removal import config_map_names
from analyzer.collect.resources import FIRST, SYSTEM, THEN, config_map_path, scopes
from analyzer.collect.sightings import SeenNode, SeenPod, Sightings
from analyzer.collect.spool import Spool
from analyzer.language import _


def dry_run(api: Api, seen: Sightings, chosen: Chosen, spool: Spool) -> str:
    """Return the commands, grouped and in order, as lines for a shell with comments."""
    return "\n".join(_lines(api, seen, chosen, spool)) + "\n"


def _lines(api: Api, seen: Sightings, chosen: Chosen, spool: Spool) -> Iterator[str]:
    options = api.options
    yield _("# Which cluster, and what is allowed there")
    yield _line(api, context.ARGUMENTS)
    yield _line(api, raw_get("/version"))
    if options.preflight:
        for permission in needed(options):
            yield _line(api, permission.arguments)
    yield ""
    yield from _of_objects(api)
    if not chosen.nodes:
        yield ""
        yield _(
            "# The nodes are not known: the list of nodes and pods did not come. For each of them:"
        )
        yield from _of_node(api, _unknown_node(), spool)
    for node in chosen.nodes:
        yield ""
        yield from _of_node(api, node, spool)
    if options.pod_exec:
        yield ""
        yield _("# resolv.conf of pods, one for each node and dnsPolicy")
        nodes = frozenset(node.name for node in chosen.nodes)
        for candidates in samples(seen, nodes):
            yield _line(api, cat_arguments(candidates[0]))


def _of_objects(api: Api) -> Iterator[str]:
    yield _("# Cluster objects, a page at a time: &continue=TOKEN gets the next one")
    for listing in (*FIRST, *THEN):
        for namespace in scopes(api.options) if listing.namespaced else ("",):
            first, *older = listing.paths(namespace)
            yield _line(api, raw_get(page_query(first)))
            for path in older:
                yield _line(api, raw_get(page_query(path))) + _(
                    "    # if the server does not know the one before"
                )
    for name in config_map_names(None):
        yield _line(api, raw_get(config_map_path(name)))


def _of_node(api: Api, node: SeenNode, spool: Spool) -> Iterator[str]:
    yield _("# {node}", node=node.name)
    if node.proxy:
        yield _line(api, log_arguments(api.options, node.proxy))
        if node.proxy.restarts:
            yield _line(api, (*log_arguments(api.options, node.proxy), "--previous"))
    try:
        yield from _entering(api, node, spool)
    except NoWayInError as error:
        yield f"# {error}"
    yield _line(api, raw_get(configz_path(node.name)))
    for path in kubelet_log_paths(api.options, node.name):
        yield _line(api, raw_get(path))
    for source in PROXY_ANSWERS:
        yield _line(api, raw_get(proxy_answer_path(source, node.name))) + _(
            "    # if node.sh finds neither curl nor wget there"
        )


def _entering(api: Api, node: SeenNode, spool: Spool) -> Iterator[str]:
    script = _("    # reads node.sh: svcbundle collect --print-node-script")
    match api.options.node_access:
        case NodeAccess.EXEC:
            pod = node.proxy
            if pod is None:
                yield _("# no pod of kube-proxy was found on it")
            else:
                arguments = exec_arguments(pod.namespace, pod.name, pod.container)
                yield _line(api, arguments) + script
        case NodeAccess.DEBUG:
            image = Door(api, spool).image(node)
            yield _line(api, debug_arguments(node.name, image))
            yield _line(api, wait_arguments("POD"))
            yield _line(api, exec_arguments(SYSTEM, "POD", "debugger")) + script
            yield _line(api, delete_arguments(SYSTEM, "POD"))
        case NodeAccess.SSH:
            yield shlex.join(ssh_command(node, api.options.ssh_user)) + script
        case NodeAccess.NONE:
            return


def _unknown_node() -> SeenNode:
    pod = SeenPod(SYSTEM, "KUBE-PROXY-POD", "NODE", "kube-proxy", "IMAGE")
    return SeenNode("NODE", address="NODE", images=("IMAGE",), proxy=pod)


def _line(api: Api, arguments: tuple[str, ...]) -> str:
    return shlex.join(api.invocation(arguments))

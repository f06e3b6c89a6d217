"""Which nodes are looked into, and why these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from analyzer.collect.options import Options
from analyzer.collect.sightings import SeenNode, Sightings
from analyzer.language import _

LARGE: Final = 20
"""Nodes above which a sample is taken, unless the user chose."""

_OTHERS: Final = 3
"""Nodes that are looked into for comparison beside those of a Service."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The nodes, in order, and a sentence on how they were chosen (empty for all of them)."""

    nodes: tuple[SeenNode, ...]
    statement: str
    unknown: tuple[str, ...] = ()
    """Names that the user gave and that are no Linux nodes of the cluster."""


def choose_nodes(seen: Sightings, options: Options) -> Chosen:
    """Return the nodes to look into. Windows nodes are left out: node.sh is for Linux."""
    listed = any(node.listed for node in seen.nodes.values())
    nodes = {
        name: node
        for name, node in seen.nodes.items()
        if not node.windows and (node.listed or not listed)
    }
    choice = options.nodes
    total = len(nodes)
    if choice.every:
        return Chosen(_ordered(nodes.values()), "")
    if choice.names:
        unknown = tuple(name for name in choice.names if name not in nodes)
        return Chosen(
            _ordered(nodes[name] for name in dict.fromkeys(choice.names) if name in nodes),
            _("the nodes that were named"),
            unknown,
        )
    first = _preferred(seen, options, nodes)
    if choice.count is not None:
        picked = _filled(first, nodes, choice.count)
        return Chosen(_ordered(picked), _sample(len(picked), total))
    if options.services or options.pods:
        others = min(total, len(first) + _OTHERS)
        picked = _filled(first, nodes, min(others, LARGE))
        statement = _(
            "{count} of {total} nodes: those of the Service's endpoints and of the pods named, and others "
            "to compare with; --nodes all|N|NAME,... takes more",
            count=len(picked),
            total=total,
        )
        return Chosen(_ordered(picked), statement)
    if total <= LARGE:
        return Chosen(_ordered(nodes.values()), "")
    picked = _filled(first, nodes, LARGE)
    return Chosen(_ordered(picked), _sample(len(picked), total))


def _sample(count: int, total: int) -> str:
    if count == total:
        return ""
    return _(
        "a sample of {count} of {total} nodes: those that are not ready, those of DNS, a control plane, "
        "and others evenly by name; --nodes all|N|NAME,... takes more",
        count=count,
        total=total,
    )


def _preferred(seen: Sightings, options: Options, nodes: dict[str, SeenNode]) -> list[SeenNode]:
    """Return the nodes that matter most, the first first."""
    if options.services or options.pods:
        of_pods = {pod.node for pod in seen.named.values()}
        return [nodes[n] for n in sorted(of_pods | seen.service_nodes) if n in nodes]
    not_ready = [n for n in nodes.values() if not n.ready]
    dns = [nodes[n] for n in seen.dns_nodes if n in nodes]
    control = [n for n in nodes.values() if n.control_plane]
    return [
        *_ordered(not_ready)[: LARGE // 2],
        *_ordered(dns)[: LARGE // 4],
        *_ordered(control)[:1],
    ]


def _filled(first: Sequence[SeenNode], nodes: dict[str, SeenNode], count: int) -> list[SeenNode]:
    """Return `count` nodes: the first ones, and of the others evenly spaced ones."""
    picked = {node.name: node for node in first[:count]}
    others = [node for node in _ordered(nodes.values()) if node.name not in picked]
    wanted = min(count - len(picked), len(others))
    for index in range(wanted):
        node = others[index * len(others) // wanted]
        picked[node.name] = node
    return list(picked.values())


def _ordered(nodes: Iterable[SeenNode]) -> tuple[SeenNode, ...]:
    return tuple(sorted(nodes, key=lambda node: node.name))

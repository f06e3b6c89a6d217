"""How many traces a second, from the line of a query to the line of its answer, once the bundle is loaded.

`python -m bench.traces DIRECTORY` prints one line; `make bench` puts several in a table.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import click
import msgspec

from analyzer.bundle.reader import open_bundle
from analyzer.load import load
from analyzer.snapshot import ClusterView
from analyzer.tracing import Renderer, all_delivered, run_queries

_ASKED = 200
"""Services that are asked for, spread evenly over all of them."""

_CLIENTS = 100
"""Clients of each: most of them pods, each of them asked for once."""

_STRANGERS = "198.51.100.{}"


class Rates(msgspec.Struct, frozen=True):
    """Traces in a second of CPU time."""

    first: float
    """Of connections to a Service that nobody has asked for before from this node."""

    further: float
    """Of connections of further clients."""

    foremost: float
    """Of further clients to the tenth of the Services whose rules stand first."""

    last: float
    """Of further clients to the tenth whose rules stand last."""

    answer: float
    """Mean length of an answer in bytes."""


def rates(directory: Path) -> Rates:
    """Measure on the bundle in a directory, which is loaded first."""
    gc.disable()
    with open_bundle([directory]) as bundle:
        cluster = load(bundle)
        first, further = _queries(cluster)
        renderer = Renderer(bundle, None)
        written = 0

        def rate(lines: Sequence[str]) -> float:
            nonlocal written
            written, begun = 0, time.process_time()
            for answer in run_queries(cluster, lines):
                all_delivered(answer)
                written += len(renderer.render(answer).encode())
            return len(lines) / (time.process_time() - begun)

        rate(first[:1])
        new = rate(first[1:])
        known, mean = rate(further), written / len(further)
        tenth = max(1, len(further) // 10)
        return Rates(new, known, rate(further[:tenth]), rate(further[-tenth:]), mean)


def _queries(cluster: ClusterView) -> tuple[list[str], list[str]]:
    """Return the queries that come first, one for each case, and those of further clients, by Service."""
    random = Random(1)  # noqa: S311 - the same queries each time
    services = [s for s in cluster.services.values() if s.cluster_ips]
    by_node: dict[str, list[str]] = {}
    for pod in cluster.network.pods:
        by_node.setdefault(pod.host, []).append(f"pod:{pod.name}")
    addresses = [a for h in cluster.network.hosts.values() for a in h.internal_addresses]
    first: list[str] = []
    further: list[str] = []
    for service in services[:: max(1, len(services) // _ASKED)][:_ASKED]:
        ends = [f"service:{service.full_name}"]
        ends += (f"{random.choice(addresses)}:{p.node_port}" for p in service.ports if p.node_port)
        for end in ends:
            for pods in by_node.values():
                chosen = random.sample(pods, min(len(pods), 1 + _CLIENTS // len(by_node)))
                first.append(_line(chosen[0], end))
                further += (_line(pod, end) for pod in chosen[1:])
            first.append(_line(f"node:{next(iter(by_node))}", end))
            further.append(first[-1])
        if len(ends) > 1:
            first.append(_line("external:" + _STRANGERS.format(1), ends[1]))
            strangers = (_STRANGERS.format(n) for n in range(2, 12))
            further += (_line(f"external:{stranger}", ends[1]) for stranger in strangers)
    return first, further


def _line(source: str, destination: str) -> str:
    return json.dumps({"from": source, "to": destination})


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(directory: Path) -> None:
    """Print how many traces a second are made of connections in a bundle."""
    click.echo(msgspec.json.encode(rates(directory)))


if __name__ == "__main__":
    main()

"""`make bench`: one table of what svcbundle costs on generated clusters, beside C code that reads the same file.

The anchor is `iptables-nft-restore --test` in a network namespace of its own, which changes nothing. Where it
cannot run the table says so, and has no ratios.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec

from bench.collecting import collect, why_impossible
from bench.measure import Command, Cost, measure
from bench.plan import Plan
from bench.traces import Rates

_ANCHOR = ("unshare", "--map-root-user", "--net", "iptables-nft-restore", "--test")
_PARSE = (
    "import sys; from pathlib import Path; from analyzer.model.ruleset import Family; "
    "from analyzer.parse.iptables_save import parse_iptables_save; "
    "parse_iptables_save('save', Path(sys.argv[1]).read_text(), Family.IPV4)"
)
_LONG = 500_000
"""Lines from which on a cluster is measured once."""

_COLUMNS = "{:<46} {:>8} {:>8} {:>8} {:>8} {:>8}"


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table."""

    name: str
    command: Command


@click.command()
@click.option("--services", default="1000,10000,20000", show_default=True, help="Sizes, one node.")
@click.option(
    "--nodes", default="1,10,100", show_default=True, help="Sizes, all with the same rules."
)
@click.option("--services-per-cluster", default=2000, show_default=True, help="With --nodes.")
@click.option("--pods", default=100_000, show_default=True, help="Pods of the largest dump.")
@click.option(
    "--traced", default="1000,3100,10000", show_default=True, help="Sizes for traces, one node."
)
@click.option("--collected", default="50,100,200", show_default=True, help="Nodes of collections.")
@click.option("--repeat", default=3, show_default=True, help="Runs of each command.")
def main(  # noqa: PLR0913, PLR0917 - the options of a command
    services: str,
    nodes: str,
    services_per_cluster: int,
    pods: int,
    traced: str,
    collected: str,
    repeat: int,
) -> None:
    """Print what svcbundle costs on generated clusters."""
    anchored = _anchor_works()
    click.echo(_COLUMNS.format("case", "wall s", "CPU s", "MB", "x wall", "x CPU"))
    _start(repeat)
    by_services = [Plan(services=n) for n in _numbers(services)]
    by_nodes = [Plan(services=services_per_cluster, nodes=n) for n in _numbers(nodes)]
    _series([p.services for p in by_services], by_services, repeat, anchored=anchored)
    _series([p.nodes for p in by_nodes], by_nodes, repeat, anchored=anchored)
    _dump(Plan(services=pods // 10, settings=32), repeat)
    _page(Plan(services=10_000, mistyped=200))
    _traces([Plan(services=n, node_port_every=max(4, n // 2000)) for n in _numbers(traced)])
    _collections(_numbers(collected))
    if not anchored:
        click.echo(
            "No ratios: iptables-nft-restore, or a network namespace for it, is not to be had here."
        )


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _anchor_works() -> bool:
    if not all(map(shutil.which, (_ANCHOR[0], _ANCHOR[3]))):
        return False
    try:
        measure([Command(_ANCHOR)], 1)
    except RuntimeError:
        return False
    return True


def _start(repeat: int) -> None:
    """Measure what is paid before any work, beside a Python that does nothing."""
    python = sys.executable
    cases = [
        Case("python -c pass", Command((python, "-c", "pass"))),
        Case("svcbundle --version", _svcbundle("--version")),
        Case("svcbundle explain endpoints-stale", _svcbundle("explain", "endpoints-stale")),
    ]
    costs = measure([c.command for c in cases], max(repeat, 5))
    for case, cost in zip(cases, costs, strict=True):
        _row(case.name, cost, costs[0])


def _series(sizes: Sequence[int], plans: Sequence[Plan], repeat: int, *, anchored: bool) -> None:
    """Measure clusters of growing size, and how the cost of an analysis grows with it."""
    grown: list[tuple[int, Cost]] = []
    for size, plan in zip(sizes, plans, strict=True):
        with TemporaryDirectory(prefix="svcbundle-bench-") as directory:
            _generate(plan, directory)
            cost = _cluster(plan, Path(directory), repeat, anchored=anchored)
        grown.append((size, cost))
    steps = [*pairwise(grown), *([(grown[0], grown[-1])] if len(grown) > 2 else [])]  # noqa: PLR2004 - else it is the only step
    for (small, before), (large, after) in steps:
        _growth("analyze", small, large, after.cpu / before.cpu)
    if len(grown) > 1:
        _compare(grown[0], grown[-1])


def _compare(least: tuple[int, Cost], most: tuple[int, Cost]) -> None:
    """Set the largest cluster of a series against the smallest."""
    (small, before), (large, after) = least, most
    click.echo(
        f"{large:,} against {small:,}: {after.wall / before.wall:.1f} x the wall time, "
        f"{after.cpu / before.cpu:.1f} x the CPU time, {after.memory / before.memory:.1f} x the memory"
    )


def _dump(plan: Plan, repeat: int) -> None:
    """Measure the decoding of a large pods.json."""
    with TemporaryDirectory(prefix="svcbundle-bench-") as directory:
        _generate(plan, directory)
        file = Path(directory) / "cluster/pods.json"
        size = file.stat().st_size / 1e6
        (cost,) = measure([Command((sys.executable, "-m", "bench.dumps", str(file)))], repeat)
    told = f"{plan.services * plan.endpoints:,} pods, {size:,.0f} MB of JSON"
    _row(told, cost, None)
    click.echo(f"{size / cost.cpu:,.0f} MB/s (CPU)")


def _page(plan: Plan) -> None:
    """Measure the report as a page, and tell its size."""
    with TemporaryDirectory(prefix="svcbundle-bench-") as directory:
        _generate(plan, directory)
        page = Path(directory) / "report.html"
        options = ("--fail-on", "never", "--quiet", "--output", str(page))
        (cost,) = measure([_svcbundle("analyze", directory, *options)], 1)
        size = page.stat().st_size
    told = f"page of {plan.services:,} Services, {plan.mistyped} mistaken"
    _row(told, cost, None)
    click.echo(f"size of the page: {size / 1e6:.2f} MB")


def _growth(command: str, small: int, large: int, ratio: float) -> None:
    exponent = math.log(ratio) / math.log(large / small)
    click.echo(f"growth of {command} from {small:,} to {large:,}: exponent {exponent:.2f} (CPU)")


def _traces(plans: Sequence[Plan]) -> None:
    """Measure traces of loaded clusters: of connections that are new, and of further clients."""
    click.echo(_COLUMNS.format("traces/s, CPU", "first", "further", "foremost", "last", "bytes"))
    for plan in plans:
        with TemporaryDirectory(prefix="svcbundle-bench-") as directory:
            _generate(plan, directory)
            save = Path(directory) / "nodes" / plan.node_list[0].name / "iptables-save.txt"
            rules = sum(line.startswith("-A ") for line in save.open(encoding="ascii"))
            command = (sys.executable, "-m", "bench.traces", directory)
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - this program's own
        found = msgspec.json.decode(done.stdout, type=Rates)
        told = f"{plan.services:,} Services, {rules:,} rules"
        numbers = (found.first, found.further, found.foremost, found.last, found.answer)
        click.echo(_COLUMNS.format(told, *(f"{number:,.0f}" for number in numbers)))


def _collections(sizes: Sequence[int]) -> None:
    """Measure collections from all nodes of simulated clusters."""
    reason = why_impossible()
    if reason:
        click.echo(f"No collections: {reason}.")
        return
    found = [collect(nodes) for nodes in sizes]
    for one in found:
        told = f"{one.nodes} nodes, {one.services:,} Services, {one.pods:,} pods"
        _row(f"collect {told}", one.cost, None)
    for before, after in pairwise(found):
        # Rules of a node grow with the Services: twice the nodes are four times the bytes.
        size = "collect by MB of bundle"
        ratio = after.cost.cpu / before.cost.cpu
        _growth(size, round(before.archive), round(after.archive), ratio)


def _generate(plan: Plan, directory: str) -> None:
    """Write a bundle, in a process of its own: what is measured would begin with the memory of this one."""
    sizes = ("--services", str(plan.services), "--nodes", str(plan.nodes))
    sizes += ("--node-port-every", str(plan.node_port_every))
    sizes += ("--mistyped", str(plan.mistyped), "--settings", str(plan.settings))
    command = (sys.executable, "-m", "bench.generate", *sizes, directory)
    subprocess.run(command, check=True)  # noqa: S603 - this program's own


def _cluster(plan: Plan, directory: Path, repeat: int, *, anchored: bool) -> Cost:
    """Measure one cluster; return the cost of its analysis."""
    save = directory / "nodes" / plan.node_list[0].name / "iptables-save.txt"
    with save.open("rb") as file:
        lines = sum(1 for _ in file)
    told = f"{plan.services:,} x {plan.endpoints}, {plan.nodes} node{'s' * (plan.nodes > 1)}"
    cases = list(_cases(told, lines, save, directory))
    commands = [c.command for c in cases]
    anchors = [Command(_ANCHOR, save)] if anchored else []
    *costs, last = measure([*commands, *anchors], repeat if lines * plan.nodes < _LONG else 1)
    anchor = last if anchored else None
    if anchor is None:
        costs.append(last)
    else:
        _row(f"iptables-nft-restore --test, {lines:,} lines", anchor, anchor)
    for case, cost in zip(cases, costs, strict=True):
        _row(case.name, cost, anchor)
    return costs[-1]


def _cases(told: str, lines: int, save: Path, directory: Path) -> Iterator[Case]:
    yield Case(f"parse {lines:,} lines", Command((sys.executable, "-c", _PARSE, str(save))))
    options = ("--format", "json", "--fail-on", "never", "--quiet")
    yield Case(f"analyze {told}", _svcbundle("analyze", str(directory), *options))


def _svcbundle(*arguments: str) -> Command:
    return Command((sys.executable, "-m", "analyzer", *arguments))


def _row(name: str, cost: Cost, anchor: Cost | None) -> None:
    ratios = ("-", "-")
    if anchor is not None:
        ratios = (f"{cost.wall / anchor.wall:.2f}", f"{cost.cpu / anchor.cpu:.2f}")
    click.echo(
        _COLUMNS.format(name, f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.memory:.0f}", *ratios)
    )


if __name__ == "__main__":
    main()

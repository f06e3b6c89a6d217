"""A picture from left to right: client, address, KUBE-SERVICES, KUBE-SVC, KUBE-SEP, pod."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analyzer.language import _, later
from analyzer.report.path_layout import Drawing, Edge, Label, Placed, height_of
from analyzer.report.path_parts import Box, Branch, Front, Group, Lane, Tone

_GAP, _LANE_GAP, _TOP = 10, 26, 30


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    x: int
    width: int


_CLIENT = _Column(later("Client"), 1, 120)
_ADDRESS = _Column(later("Address and port"), 147, 182)
_DISPATCH = _Column(later("Which Service?"), 355, 148)
_SERVICE = _Column(later("Which endpoint?"), 529, 214)
_CHAIN = _Column(later("Endpoint"), 801, 214)
_POD = _Column(later("Pod and its node"), 1041, 222)
_WIDTH = _POD.x + _POD.width + 1


def wide(group: Group) -> Drawing:
    """Return the picture of a group of nodes, every lane below the other."""
    drawing = Drawing(_WIDTH)
    direct = all(lane.service is None for lane in group.lanes)
    columns = (_CLIENT, _ADDRESS, _POD) if direct else (
        _CLIENT, _ADDRESS, _DISPATCH, _SERVICE, _CHAIN, _POD
    )  # fmt: skip
    drawing.labels.extend(Label(column.x, 14, _(column.head)) for column in columns)
    top = _TOP
    for lane in group.lanes:
        top = _lane(drawing, lane, top) + _LANE_GAP
    drawing.height = top - _LANE_GAP + 4
    return drawing


def _lane(drawing: Drawing, lane: Lane, top: int) -> int:
    """Draw a lane and return where it ends."""
    if lane.port:
        drawing.labels.append(Label(_CLIENT.x, top + 10, _("port {port}", port=lane.port)))
        top += 18
    fronts = _stack([max(_heights(f)) for f in lane.fronts])
    rows = _stack([max(_branch_heights(b)) for b in lane.branches])
    service = height_of(lane.service, _SERVICE.width) if lane.service else 0
    more = 20 if lane.more else 0
    height = max(fronts.height, rows.height + more, service)
    ends = _fronts(drawing, lane, top + (height - fronts.height) // 2, fronts)
    if lane.service:
        placed = _centred(drawing, lane.service, _SERVICE, top + height // 2)
        drawing.edges.extend(_edge(end, placed, placed.box.tone) for end in ends)
        ends = [placed]
    start = top + (height - rows.height - more) // 2
    for branch, offset, size in zip(lane.branches, rows.offsets, rows.sizes, strict=True):
        _branch(drawing, branch, ends, start + offset, size)
    if lane.more:
        drawing.labels.append(Label(_CHAIN.x, start + rows.height + 16, lane.more))
    return top + height


@dataclass(frozen=True, slots=True)
class _Stack:
    """Rows below each other."""

    sizes: tuple[int, ...]
    offsets: tuple[int, ...]
    height: int


def _stack(sizes: Sequence[int]) -> _Stack:
    offsets, total = [], 0
    for size in sizes:
        offsets.append(total)
        total += size + _GAP
    return _Stack(tuple(sizes), tuple(offsets), max(total - _GAP, 0))


def _heights(front: Front) -> Iterator[int]:
    yield height_of(front.client, _CLIENT.width)
    yield height_of(front.address, _ADDRESS.width)
    if front.dispatch:
        yield height_of(front.dispatch, _DISPATCH.width)


def _branch_heights(branch: Branch) -> Iterator[int]:
    yield height_of(branch.pod, _POD.width)
    if branch.chain:
        yield height_of(branch.chain, _CHAIN.width)


def _fronts(drawing: Drawing, lane: Lane, top: int, rows: _Stack) -> list[Placed]:
    """Draw client, address and dispatch of each front, what is the same as above once; return where lines go on."""
    client: Placed | None = None
    dispatch: Placed | None = None
    ends: list[Placed] = []
    for front, offset, size in zip(lane.fronts, rows.offsets, rows.sizes, strict=True):
        middle = top + offset + size // 2
        if client is None or client.box != front.client:
            client = _centred(drawing, front.client, _CLIENT, middle)
        address = _centred(drawing, front.address, _ADDRESS, middle)
        drawing.edges.append(_edge(client, address, Tone.PLAIN))
        if front.dispatch is None:
            ends.append(address)
            continue
        if dispatch is None or dispatch.box != front.dispatch:
            dispatch = _centred(drawing, front.dispatch, _DISPATCH, middle)
            ends.append(dispatch)
        drawing.edges.append(_edge(address, dispatch, dispatch.box.tone))
    return ends


def _centred(drawing: Drawing, box: Box, column: _Column, middle: int) -> Placed:
    return drawing.add(box, column.x, middle - height_of(box, column.width) // 2, column.width)


def _branch(
    drawing: Drawing, branch: Branch, sources: Sequence[Placed], top: int, size: int
) -> None:
    middle = top + size // 2
    pod = _centred(drawing, branch.pod, _POD, middle)
    if branch.idle:
        text = _("no rule leads here")
        drawing.labels.append(Label(_POD.x - 12, middle + 4, text, "end"))
        return
    if branch.chain is None:
        drawing.edges.extend(_edge(source, pod, branch.delivery.tone) for source in sources)
        return
    chain = _centred(drawing, branch.chain, _CHAIN, middle)
    drawing.edges.extend(_edge(source, chain, branch.chain.tone) for source in sources)
    share = branch.share.partition(" (")[0]
    drawing.labels.append(Label(chain.x - 8, chain.middle - 5, share, "end"))
    drawing.edges.append(_edge(chain, pod, branch.delivery.tone, branch.delivery))


def _edge(start: Placed, end: Placed, tone: Tone, carrying: Box | None = None) -> Edge:
    bend = (start.right + end.x) // 2
    path = (
        f"M{start.right} {start.middle}H{end.x}"
        if start.middle == end.middle
        else f"M{start.right} {start.middle}C{bend} {start.middle} {bend} {end.middle} {end.x} {end.middle}"
    )
    marks = carrying.marks if carrying else ()
    return Edge(path, tone, marks, bend, (start.middle + end.middle) // 2)

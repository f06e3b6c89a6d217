"""A picture from top to bottom for narrow screens and paper: addresses, then the Service's chain, then endpoints."""

from __future__ import annotations

from analyzer.language import _
from analyzer.report.path_layout import Drawing, Edge, Label, Placed
from analyzer.report.path_parts import Branch, Group, Lane, Tone

_WIDTH = 360
_LEFT = 16
"""Where addresses begin; clients' lines run left of it."""

_ADDRESS = 172
_DISPATCH_X = _LEFT + _ADDRESS + 14
_DISPATCH = _WIDTH - _DISPATCH_X - 14
_RIGHT = _WIDTH - 5
"""Where the lines from the dispatching chains to the Service's run down."""

_BRANCH_X = 44
_GAP = 12


def tall(group: Group) -> Drawing:
    """Return the picture of a group of nodes, every lane below the other."""
    drawing = Drawing(_WIDTH)
    top = 2
    for lane in group.lanes:
        top = _lane(drawing, lane, top) + 2 * _GAP
    drawing.height = top - 2 * _GAP + 4
    return drawing


def _lane(drawing: Drawing, lane: Lane, top: int) -> int:
    """Draw a lane and return where it ends."""
    if lane.port:
        drawing.labels.append(Label(1, top + 11, _("port {port}", port=lane.port)))
        top += 20
    ends, top = _fronts(drawing, lane, top)
    source = ends[-1]
    if lane.service:
        source = drawing.add(lane.service, _LEFT, top, _WIDTH - _LEFT - 14)
        drawing.edges.extend(_outside(end, source) for end in ends)
        top = source.bottom + _GAP
    for branch in lane.branches:
        top = _branch(drawing, branch, source, top) + _GAP
    if lane.more:
        drawing.labels.append(Label(_BRANCH_X, top + 6, lane.more))
        top += 16
    return top - _GAP


def _fronts(drawing: Drawing, lane: Lane, top: int) -> tuple[list[Placed], int]:
    """Draw each address with what dispatches it; return where lines go on, and where the next part begins."""
    client: Placed | None = None
    ends: list[Placed] = []
    for front in lane.fronts:
        if client is None or client.box != front.client:
            client = drawing.add(front.client, 1, top, _WIDTH - 15)
            top = client.bottom + _GAP
        width = _ADDRESS if front.dispatch else _WIDTH - _LEFT - 14
        address = drawing.add(front.address, _LEFT, top, width)
        drawing.edges.append(Edge(f"M7 {client.bottom}V{address.middle}H{address.x}", Tone.PLAIN))
        bottom, end = address.bottom, address
        if front.dispatch:
            end = drawing.add(front.dispatch, _DISPATCH_X, top, _DISPATCH)
            path = f"M{address.right} {address.middle}H{end.x}"
            drawing.edges.append(Edge(path, end.box.tone))
            bottom = max(bottom, end.bottom)
        ends.append(end)
        top = bottom + _GAP
    return ends, top


def _outside(start: Placed, end: Placed) -> Edge:
    return Edge(f"M{start.right} {start.middle}H{_RIGHT}V{end.middle}H{end.right}", end.box.tone)


def _branch(drawing: Drawing, branch: Branch, source: Placed, top: int) -> int:
    """Draw an endpoint and its pod below; return where they end."""
    width = _WIDTH - _BRANCH_X - 14
    if branch.chain is None:
        pod = drawing.add(branch.pod, _BRANCH_X, top, width)
        if not branch.idle:
            drawing.edges.append(_elbow(source, pod, branch.delivery.tone))
        return pod.bottom
    chain = drawing.add(branch.chain, _BRANCH_X, top, width)
    drawing.edges.append(_elbow(source, chain, branch.chain.tone))
    share = branch.share.partition(" (")[0]
    drawing.labels.append(Label(chain.right - 26, chain.y + 18, share, "end"))
    pod = drawing.add(branch.pod, _BRANCH_X + 28, chain.bottom + _GAP, width - 28)
    x = _BRANCH_X + 14
    path = f"M{x} {chain.bottom}V{pod.middle}H{pod.x}"
    marks = branch.delivery.marks
    drawing.edges.append(Edge(path, branch.delivery.tone, marks, x, chain.bottom + _GAP // 2))
    return pod.bottom


def _elbow(source: Placed, target: Placed, tone: Tone) -> Edge:
    x = source.x + 4
    return Edge(f"M{x} {source.bottom}V{target.middle}H{target.x}", tone)

"""The check `conntrack-table-full`."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.check import check
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Problem
from analyzer.snapshot import NodeView

_COUNT, _MAX = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"
_NEARLY = 0.95
"""Share from which on a burst fills the table: entries come and go in thousands a second."""


@check(
    station=Station.PROXYING,
    severity=Severity.ERROR,
    needs=(Input.SYSCTLS,),
    references=("https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",),
    advisory=True,
)
def conntrack_table_full(node: NodeView) -> Iterator[Problem]:
    """
    The node's table of connections is full, or nearly so.

    ## Why it matters
    Every connection to a Service needs an entry. When there is no room, the kernel drops its first packet
    ("nf_conntrack: table full, dropping packet"): connections fail at random, of all Services.

    ## How to put it right
    Raise `conntrack.maxPerCore` or `conntrack.min` of kube-proxy, which sets the maximum at its start; at once:
    `sysctl -w net.netfilter.nf_conntrack_max=…`. Then find who opens so many connections.
    """
    count, most = node.sysctls.get(_COUNT), node.sysctls.get(_MAX)
    if count is None or most is None or not (count.value.isdigit() and most.value.isdigit()):
        return
    used, room = int(count.value), int(most.value)
    if room and used >= _NEARLY * room:
        yield Problem(
            message=_(
                "the conntrack table of {node} holds {used} of at most {room} connections: "
                "new ones are dropped",
                node=node.name,
                used=used,
                room=room,
            ),
            evidence=(
                Evidence(count.source, _("connections now")),
                Evidence(most.source, _("room for")),
            ),
            remedy=_(
                "On {node}: sysctl -w {max}={size}\nFor good: raise conntrack.maxPerCore in "
                "kube-proxy's configuration and restart it.",
                node=node.name,
                max=_MAX,
                size=2 * room,
            ),
            partial=True,
        )

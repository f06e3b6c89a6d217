"""The check `bundle-clock-skew`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from analyzer.findings import Evidence, Problem, Severity, Station, check
from analyzer.snapshot import NodeView

_TOLERATED = timedelta(minutes=5)
_ZONE_STEP = timedelta(minutes=15)
"""Time zones differ by multiples of this: such a difference is a log in local time, not a wrong clock."""

_ZONE_SLACK = timedelta(seconds=90)


@check(
    station=Station.BUNDLE,
    severity=Severity.WARNING,
    advisory=True,
    references=("https://kubernetes.io/docs/setup/best-practices/certificates/",),
)
def bundle_clock_skew(node: NodeView) -> Iterator[Problem]:
    """
    A node's log is ahead of the time at which the bundle was made.

    ## Why it matters
    A clock that is wrong breaks certificates and tokens, and makes every comparison of times between
    nodes, and between a node and the API server, doubtful.

    ## How to put it right
    Put the node's time service right (`timedatectl`, `chronyc tracking`).

    ## Where it is silent
    For logs in local time: a difference of whole quarters of an hour is a time zone.
    """
    made = node.cluster.identity.created_at
    last = node.proxy_log[-1] if node.proxy_log else None
    if made is None or last is None or last.time is None:
        return
    ahead = last.time.replace(tzinfo=last.time.tzinfo or made.tzinfo) - made
    off_zone = min(ahead % _ZONE_STEP, _ZONE_STEP - ahead % _ZONE_STEP)
    if ahead <= _TOLERATED or off_zone <= _ZONE_SLACK:
        return
    yield Problem(
        message=f"the clock of {node.name} is {ahead} ahead of the machine that made the bundle",
        evidence=(
            Evidence(last.source, f"logged after {made.isoformat()}, when the bundle was made"),
        ),
        remedy=f"Check the time service of {node.name}: timedatectl; chronyc tracking",
    )

"""The check `bundle-clock-skew`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from analyzer.check import check
from analyzer.language import _
from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station
from analyzer.problems import Evidence, Outcome, Problem, Undecided
from analyzer.snapshot import NodeView

_TOLERATED = timedelta(minutes=5)
_ZONE_STEP = timedelta(minutes=15)
"""Time zones differ by multiples of this: such a difference is a log in local time, not a wrong clock."""

_ZONE_SLACK = timedelta(seconds=90)


@check(
    station=Station.BUNDLE,
    severity=Severity.WARNING,
    needs=(Input.PROXY_LOG,),
    advisory=True,
    references=("https://kubernetes.io/docs/setup/best-practices/certificates/",),
)
def bundle_clock_skew(node: NodeView) -> Iterator[Outcome]:
    """
    kube-proxy's log on a node is ahead of the time at which the bundle was made.

    ## Why it matters
    A clock that is wrong breaks certificates and tokens, and makes every comparison of times between
    nodes, and between a node and the API server, doubtful.

    ## How to put it right
    Put the node's time service right (`timedatectl`, `chronyc tracking`).

    ## Where it is silent
    For logs in local time: a difference of whole quarters of an hour is a time zone.
    """
    identity = node.cluster.identity
    made = identity.finished_at or identity.created_at
    last = node.proxy_log[-1] if node.proxy_log else None
    if made is None or last is None or last.time is None:
        yield Undecided(
            reason=_("it is not known when the bundle was made")
            if made is None
            else _("the log does not tell the time"),
            missing=("manifest.json",) if made is None else (),
        )
        return
    ahead = last.time.replace(tzinfo=last.time.tzinfo or made.tzinfo) - made
    off_zone = min(ahead % _ZONE_STEP, _ZONE_STEP - ahead % _ZONE_STEP)
    if ahead <= _TOLERATED or off_zone <= _ZONE_SLACK:
        return
    yield Problem(
        message=_(
            "the clock of {node} is {minutes} ahead of the machine that made the bundle",
            node=node.name,
            minutes=_minutes(ahead),
        ),
        evidence=(
            Evidence(
                last.source,
                _("logged after {isoformat}, when the bundle was made", isoformat=made.isoformat()),
            ),
        ),
        remedy=_(
            "See on {node} what its time service says, and put it right: timedatectl",
            node=node.name,
        ),
    )


def _minutes(span: timedelta) -> str:
    hours, minutes = divmod(round(span.total_seconds() / 60), 60)
    return (
        _("{hours} h {minutes} min", hours=hours, minutes=minutes)
        if hours
        else _("{minutes} min", minutes=minutes)
    )

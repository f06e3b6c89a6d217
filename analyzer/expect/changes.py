"""When a Service, its pods or its endpoints changed last: a difference younger than a sync proves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from analyzer.model.kubernetes import Endpoints, EndpointSlice, Pod, Resource, Service

TRIGGER_TIME_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


def last_change(
    service: Service | None,
    pods: Sequence[Pod],
    slices: Sequence[EndpointSlice] = (),
    endpoints: Endpoints | None = None,
) -> datetime | None:
    """Return the time of the last change that decides who serves, or None where no object tells.

    A pod that is gone leaves no time but that of the slices and Endpoints it was taken from. `service`: None
    where only what was published for it is known.
    """
    published = (*slices, *((endpoints,) if endpoints is not None else ()))
    times = (
        *(_written(service) if service is not None else ()),
        *(time for pod in pods for time in _of_pod(pod)),
        *(time for item in published for time in _of_published(item)),
    )
    return max((t for t in times if t is not None), default=None)


def is_settled(changed: datetime | None, at: datetime | None, sync_period_seconds: float) -> bool:
    """Tell whether a state had time to be written everywhere before it was looked at.

    False within twice the sync period, and within 60 seconds, of the change; True where either time is not known.
    """
    if changed is None or at is None:
        return True
    return at - changed >= timedelta(seconds=max(2 * sync_period_seconds, 60.0))


def parse_time(text: str | None) -> datetime | None:
    """Return an API time stamp (RFC 3339), or None for anything else; UTC where it names no zone."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _of_pod(pod: Pod) -> Iterator[datetime | None]:
    ready = pod.condition("Ready")
    yield parse_time(ready.last_transition_time) if ready else None
    yield _deletion_requested(pod)
    # The kubelet writes the status all the time; who else writes may have changed labels.
    yield from _written(pod, besides=frozenset({"kubelet"}))


def _deletion_requested(pod: Pod) -> datetime | None:
    # deletionTimestamp is the end of the grace period, not its beginning.
    end = parse_time(pod.metadata.deletion_timestamp)
    grace = pod.metadata.deletion_grace_period_seconds or 0
    if end is None:
        return None
    try:
        return end - timedelta(seconds=grace)
    except OverflowError:
        return end


def _of_published(item: EndpointSlice | Endpoints) -> Iterator[datetime | None]:
    yield parse_time(item.annotations.get(TRIGGER_TIME_ANNOTATION))
    yield from _written(item)


def _written(item: Resource, besides: frozenset[str] = frozenset()) -> Iterator[datetime | None]:
    yield parse_time(item.metadata.creation_timestamp)
    for entry in item.metadata.managed_fields or ():
        if entry.manager not in besides:
            yield parse_time(entry.time)

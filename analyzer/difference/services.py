"""Services that came, went or changed, and whether they work."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.difference.change import Blind, FieldChange, Presence, ServiceChange
from analyzer.difference.fields import changes, service_fields
from analyzer.difference.side import Side, Sides, tells_of
from analyzer.language import _
from analyzer.model.forwarding import ServiceKey
from analyzer.model.inputs import Input
from analyzer.model.kubernetes import Service
from analyzer.model.verdict import Verdict


def service_changes(sides: Sides) -> Iterator[ServiceChange]:
    """Yield the Services that differ, sorted by name; one that a side does not tell of is left out."""
    old, new = _asked(sides.old), _asked(sides.new)
    verdicts = tuple(
        {s.service.key: s.verdict for s in side.report.services} for side in (sides.old, sides.new)
    )
    for key in sorted({*old, *new}):
        was, is_ = old.get(key), new.get(key)
        if was is None and not _tells(sides.old, key):
            continue
        if is_ is None and not _tells(sides.new, key):
            continue
        change = _change(key, was, is_, verdicts[0].get(key), verdicts[1].get(key))
        if change.presence is not Presence.CHANGED or change.fields:
            yield change


def blind_services(sides: Sides) -> Iterator[Blind]:
    """Yield that not all Services are known, where it is so."""
    lacking = sides.lacking(_("Services"), Input.SERVICES)
    if lacking is not None:
        yield lacking


def _asked(side: Side) -> dict[ServiceKey, Service]:
    return {view.key: view.service for view in side.cluster.asked_views}


def _tells(side: Side, key: ServiceKey) -> bool:
    return tells_of(side.cluster.availability(Input.SERVICES), key.namespace)


def _change(
    key: ServiceKey,
    old: Service | None,
    new: Service | None,
    old_verdict: Verdict | None,
    new_verdict: Verdict | None,
) -> ServiceChange:
    if old is None or new is None:
        presence = Presence.ADDED if old is None else Presence.REMOVED
        return ServiceChange(key, presence, (), old_verdict, new_verdict)
    fields = changes(service_fields(old), service_fields(new))
    judged = {old_verdict, new_verdict}.isdisjoint({None, Verdict.UNKNOWN})
    if judged and old_verdict is not new_verdict and old_verdict and new_verdict:
        fields = (FieldChange("verdict", old_verdict.value, new_verdict.value), *fields)
    return ServiceChange(key, Presence.CHANGED, fields, old_verdict, new_verdict)

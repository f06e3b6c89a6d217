"""Links to findings that survive: the same finding has the same link in the report of the next bundle."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.difference.identity import FindingIdentity, identities
from analyzer.findings import Finding
from analyzer.report.view_services import anchor_of

_LONGEST = 120


def anchors_of(findings: Iterable[Finding]) -> dict[str, str]:
    """Return by id what stands after `#`: `rules-chain-empty/default/hostnames/node-b`."""
    found = identities(findings)
    anchors = {key: _anchor(identity) for key, identity in found.items()}
    taken: dict[str, str] = {}
    for key, anchor in anchors.items():
        # What differs only in what a link cannot hold is told apart by its identity.
        several = "," in found[key].service
        if taken.setdefault(anchor, key) != key or several or len(anchor) > _LONGEST:
            anchors[key] = f"{anchor[:_LONGEST]}~{str(found[key])[:8]}"
    return anchors


def _anchor(identity: FindingIdentity) -> str:
    service, *others = identity.service.split(",")
    more = f"+{len(others)}" if others else ""
    parts = (f"{service}{more}", identity.port, identity.node, identity.pod)
    number = str(identity.number + 1) if identity.number else ""
    return "/".join(filter(None, (identity.slug, *map(anchor_of, parts), number)))

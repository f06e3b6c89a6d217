"""What makes two findings the same one, in another bundle of the same cluster too."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from analyzer.findings import Finding

_GENERATED = re.compile(r"(?:-[a-z0-9]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$")
"""What a Deployment or DaemonSet adds to a pod's name (`SafeEncodeString`, apimachinery rand)."""


class FindingIdentity(Struct, frozen=True, order=True):
    """A check and what it found something about, without what changes from one capture to the next."""

    slug: str
    service: str
    """`namespace/name`, or all that are concerned where there is no single one; empty for none."""

    port: str
    node: str
    pod: str
    """`namespace/name` without what is generated anew for every pod."""

    number: int = 0
    """Counts findings that all this does not tell apart, in the order of the report."""

    def __str__(self) -> str:
        """32 hexadecimal digits, the same in every version of svcbundle."""
        fields = (self.slug, self.service, self.port, self.node, self.pod, str(self.number))
        text = "\0".join(fields).encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).hexdigest()[:32]


def identities(findings: Iterable[Finding]) -> dict[str, FindingIdentity]:
    """Return the identity of each finding by its id."""
    seen: Counter[FindingIdentity] = Counter()
    found = {}
    for finding in findings:
        identity = _identity(finding)
        number = seen[identity]
        seen[identity] += 1
        found[finding.id] = FindingIdentity(
            identity.slug, identity.service, identity.port, identity.node, identity.pod, number
        )
    return found


def without_generated(name: str) -> str:
    """Return a pod's name without what its controller generated."""
    return _GENERATED.sub("", name)


def _identity(finding: Finding) -> FindingIdentity:
    problem = finding.problem
    affected = ",".join(str(service) for service in sorted(problem.affects))
    return FindingIdentity(
        slug=finding.check.slug,
        service=str(problem.service) if problem.service else affected,
        port=problem.port or "",
        node=problem.node or "",
        pod=without_generated(problem.pod or ""),
    )

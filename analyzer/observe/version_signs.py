"""What the rules of kube-proxy's iptables mode tell about its version.

Sources: kube-facts A.1, A.3 and A.4, and rulesets that 1.14 to 1.36 wrote. A component does not delete what it does
not know, so after an up- or downgrade any one sign may be wrong: a bound counts where two signs support it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analyzer.language import _
from analyzer.model.kube_proxy import Minor, Sign, VersionRange
from analyzer.model.ruleset import Rule, Ruleset
from analyzer.observe.version_patterns import VERSION_PATTERNS, VersionPattern

_NEEDED = 2
"""How many signs a bound needs."""

_ENOUGH = 512
"""Rules of one kind that are looked at: kube-proxy writes all Services' rules alike."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """A sign with the bound that it sets."""

    minor: Minor
    lower: bool
    sign: Sign


def version_of_rules(rulesets: Iterable[Ruleset]) -> VersionRange:
    """Return the minor versions that agree with the rules; every sign is kept, also those that count for nothing."""
    bounds: list[_Bound] = []
    reasons: set[str] = set()
    for ruleset in rulesets:
        for bound in _bounds(ruleset):
            if bound.sign.reason not in reasons:
                reasons.add(bound.sign.reason)
                bounds.append(bound)
    lower = sorted((b.minor for b in bounds if b.lower), reverse=True)
    upper = sorted(b.minor for b in bounds if not b.lower)
    earliest = lower[_NEEDED - 1] if len(lower) >= _NEEDED else None
    latest = upper[_NEEDED - 1] if len(upper) >= _NEEDED else None
    if earliest is not None and latest is not None and earliest > latest:
        earliest = latest = None
    return VersionRange(earliest, latest, signs=tuple(b.sign for b in bounds))


def _bounds(ruleset: Ruleset) -> Iterator[_Bound]:
    places = {(p.table, p.chain): p for p in VERSION_PATTERNS}
    rules = {place: tuple(_rules(ruleset, pattern)) for place, pattern in places.items()}
    for pattern in VERSION_PATTERNS:
        rule = next((r for r in rules[pattern.table, pattern.chain] if pattern.test(r)), None)
        if rule is None:
            continue
        lower = pattern.earliest is not None
        minor = Minor(1, pattern.earliest if pattern.earliest is not None else pattern.latest or 0)
        claim = _("{minor} or {side}", minor=minor, side="later" if lower else "earlier")
        yield _Bound(minor, lower, Sign(claim, pattern.reason, ruleset.ref(rule)))


def _rules(ruleset: Ruleset, pattern: VersionPattern) -> Iterator[Rule]:
    if not pattern.chain.endswith("-"):
        yield from ruleset.rules(pattern.table, pattern.chain)[: 4 * _ENOUGH]
        return
    table = ruleset.tables.get(pattern.table)
    left = _ENOUGH
    for name, chain in table.chains.items() if table is not None else ():
        if name.startswith(pattern.chain) and chain.rules:
            yield from chain.rules[:8]
            left -= 1
            if not left:
                return

"""What the rules of kube-proxy's iptables mode tell about its version.

Sources: kube-facts A.1, A.3 and A.4, and rulesets that 1.14 to 1.36 wrote. A component does not delete what it does
not know, so after an up- or downgrade any one sign may be wrong: a bound counts where two signs support it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from analyzer.model.kube_proxy import Minor, Sign, VersionRange
from analyzer.model.ruleset import Rule, Ruleset
from analyzer.observe.owners import owner_of

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


_Test = Callable[[Rule], bool]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A rule that only some versions write."""

    reason: str
    table: str
    chain: str
    """Name of the chain, or its beginning where it ends in a dash."""

    test: _Test
    earliest: int | None = None
    """Second part of the first version that writes it; None where the first is not meant."""

    latest: int | None = None


def _bounds(ruleset: Ruleset) -> Iterator[_Bound]:
    for pattern in _PATTERNS:
        rule = next((r for r in _rules(ruleset, pattern) if pattern.test(r)), None)
        if rule is None:
            continue
        lower = pattern.earliest is not None
        minor = Minor(1, pattern.earliest if pattern.earliest is not None else pattern.latest or 0)
        claim = f"{minor} or {'later' if lower else 'earlier'}"
        yield _Bound(minor, lower, Sign(claim, pattern.reason, ruleset.ref(rule)))


def _rules(ruleset: Ruleset, pattern: _Pattern) -> Iterator[Rule]:
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


def _leads_to(*prefixes: str) -> _Test:
    return lambda rule: (rule.target or "").startswith(prefixes)


def _marks_cluster_ip(rule: Rule) -> bool:
    return rule.target == "KUBE-MARK-MASQ" and rule.has("-d")


def _arrow(rule: Rule) -> bool:
    return (rule.target or "").startswith("KUBE-SEP-") and " -> " in rule.comment


def _name_only(rule: Rule) -> bool:
    to_endpoint = (rule.target or "").startswith("KUBE-SEP-")
    return to_endpoint and owner_of(rule.comment) is not None and "->" not in rule.comment


def _colon(rule: Rule) -> bool:
    owner = owner_of(rule.comment)
    return owner is not None and owner.colon


def _unnamed(rule: Rule) -> bool:
    owner = owner_of(rule.comment)
    return owner is not None and not owner.colon and not owner.service_port.port


def _five_digits(rule: Rule) -> bool:
    """1/3 as `%0.5f` writes it, after the kernel's rounding (A.5); so for 6, 7 and 9."""
    return rule.value("--probability") in {
        *("0.33332999982", "0.16667000018", "0.14286000002", "0.11110999994")
    }


def _ten_digits(rule: Rule) -> bool:
    return rule.value("--probability") in {
        *("0.33333333349", "0.16666666651", "0.14285714272", "0.11111111101")
    }


def _open_firewall(rule: Rule) -> bool:
    return not rule.has("-s") and (rule.target or "").startswith(("KUBE-SVC-", "KUBE-XLB-"))


_PATTERNS = (
    _Pattern(
        "a target for counting (nfacct)",
        "nat",
        "KUBE-NODEPORTS",
        lambda r: r.has("--nfacct-name"),
        31,
    ),
    _Pattern(
        "a target for counting (nfacct)",
        "filter",
        "KUBE-FORWARD",
        lambda r: r.has("--nfacct-name"),
        31,
    ),
    _Pattern(
        "a drop in KUBE-PROXY-FIREWALL", "filter", "KUBE-PROXY-FIREWALL", _leads_to("DROP"), 25
    ),
    _Pattern(
        "a jump from INPUT to KUBE-PROXY-FIREWALL",
        "filter",
        "INPUT",
        _leads_to("KUBE-PROXY-FIREWALL"),
        25,
    ),
    _Pattern(
        "node ports lead to a KUBE-EXT chain", "nat", "KUBE-NODEPORTS", _leads_to("KUBE-EXT-"), 24
    ),
    _Pattern(
        "an address leads to a KUBE-EXT chain", "nat", "KUBE-SERVICES", _leads_to("KUBE-EXT-"), 24
    ),
    _Pattern("a comment names the endpoint (->)", "nat", "KUBE-SVC-", _arrow, 24),
    _Pattern(
        "replies are accepted by connection state alone",
        "filter",
        "KUBE-FORWARD",
        lambda r: r.has("--ctstate") and "conntrack rule" in r.comment,
        23,
    ),
    _Pattern(
        "cluster IPs are marked in KUBE-SVC chains", "nat", "KUBE-SVC-", _marks_cluster_ip, 22
    ),
    _Pattern(
        "a jump from INPUT to KUBE-NODEPORTS", "filter", "INPUT", _leads_to("KUBE-NODEPORTS"), 21
    ),
    _Pattern(
        "a jump from FORWARD to KUBE-EXTERNAL-SERVICES",
        "filter",
        "FORWARD",
        _leads_to("KUBE-EXTERNAL-SERVICES"),
        20,
    ),
    _Pattern("an unnamed port without a colon", "nat", "KUBE-SERVICES", _unnamed, 19),
    _Pattern(
        "unmarked packets leave KUBE-POSTROUTING first",
        "nat",
        "KUBE-POSTROUTING",
        lambda r: r.target == "RETURN" and r.has("! --mark"),
        18,
    ),
    _Pattern("probabilities of ten digits", "nat", "KUBE-SVC-", _ten_digits, 17),
    _Pattern(
        "a drop of invalid packets in KUBE-FORWARD",
        "filter",
        "KUBE-FORWARD",
        lambda r: r.target == "DROP" and r.value("--ctstate") == "INVALID",
        15,
    ),
    _Pattern(
        "a jump from INPUT to KUBE-EXTERNAL-SERVICES",
        "filter",
        "INPUT",
        _leads_to("KUBE-EXTERNAL-SERVICES"),
        10,
    ),
    _Pattern(
        "a jump from FORWARD to KUBE-FORWARD", "filter", "FORWARD", _leads_to("KUBE-FORWARD"), 8
    ),
    _Pattern(
        "node ports lead to a KUBE-SVC or KUBE-XLB chain",
        "nat",
        "KUBE-NODEPORTS",
        _leads_to("KUBE-SVC-", "KUBE-XLB-"),
        latest=23,
    ),
    _Pattern("a comment names no endpoint", "nat", "KUBE-SVC-", _name_only, latest=23),
    _Pattern("a KUBE-FW chain without source ranges", "nat", "KUBE-FW-", _open_firewall, latest=23),
    _Pattern(
        "replies are accepted by pod addresses",
        "filter",
        "KUBE-FORWARD",
        lambda r: "conntrack pod " in r.comment,
        latest=22,
    ),
    _Pattern(
        "cluster IPs are marked in KUBE-SERVICES",
        "nat",
        "KUBE-SERVICES",
        _marks_cluster_ip,
        latest=21,
    ),
    _Pattern(
        "an external IP that depends on the bridge port",
        "nat",
        "KUBE-SERVICES",
        lambda r: r.has("! --physdev-is-in"),
        latest=20,
    ),
    _Pattern("an unnamed port with a trailing colon", "nat", "KUBE-SERVICES", _colon, latest=19),
    _Pattern(
        "marked packets are masqueraded by one rule",
        "nat",
        "KUBE-POSTROUTING",
        lambda r: r.target == "MASQUERADE" and r.has("--mark"),
        latest=17,
    ),
    _Pattern("probabilities of five digits", "nat", "KUBE-SVC-", _five_digits, latest=16),
)

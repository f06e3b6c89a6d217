"""Rules that only some versions of kube-proxy write (kube-facts A.1, A.3, A.5; rulesets of 1.14 to 1.36)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analyzer.model.ruleset import Rule
from analyzer.observe.owners import owner_of

_Test = Callable[[Rule], bool]


@dataclass(frozen=True, slots=True)
class VersionPattern:
    """A rule that only some versions write."""

    reason: str
    table: str
    chain: str
    """Name of the chain, or its beginning where it ends in a dash."""

    test: _Test
    earliest: int | None = None
    """Second part of the first version that writes it; None where the first is not meant."""

    latest: int | None = None


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


_FIVE_DIGITS = frozenset({"0.33332999982", "0.16667000018", "0.14286000002", "0.11110999994"})
"""1/3 as `%0.5f` writes it, after the kernel's rounding (A.5); so for 6, 7 and 9."""

_TEN_DIGITS = frozenset({"0.33333333349", "0.16666666651", "0.14285714272", "0.11111111101"})


def _five_digits(rule: Rule) -> bool:
    return rule.value("--probability") in _FIVE_DIGITS


def _ten_digits(rule: Rule) -> bool:
    return rule.value("--probability") in _TEN_DIGITS


def _open_firewall(rule: Rule) -> bool:
    return not rule.has("-s") and (rule.target or "").startswith(("KUBE-SVC-", "KUBE-XLB-"))


VERSION_PATTERNS = (
    VersionPattern(
        "a target for counting (nfacct)",
        "nat",
        "KUBE-NODEPORTS",
        lambda r: r.has("--nfacct-name"),
        31,
    ),
    VersionPattern(
        "a target for counting (nfacct)",
        "filter",
        "KUBE-FORWARD",
        lambda r: r.has("--nfacct-name"),
        31,
    ),
    VersionPattern(
        "a drop in KUBE-PROXY-FIREWALL", "filter", "KUBE-PROXY-FIREWALL", _leads_to("DROP"), 25
    ),
    VersionPattern(
        "a jump from INPUT to KUBE-PROXY-FIREWALL",
        "filter",
        "INPUT",
        _leads_to("KUBE-PROXY-FIREWALL"),
        25,
    ),
    VersionPattern(
        "node ports lead to a KUBE-EXT chain", "nat", "KUBE-NODEPORTS", _leads_to("KUBE-EXT-"), 24
    ),
    VersionPattern(
        "an address leads to a KUBE-EXT chain", "nat", "KUBE-SERVICES", _leads_to("KUBE-EXT-"), 24
    ),
    VersionPattern("a comment names the endpoint (->)", "nat", "KUBE-SVC-", _arrow, 24),
    VersionPattern(
        "replies are accepted by connection state alone",
        "filter",
        "KUBE-FORWARD",
        lambda r: r.has("--ctstate") and "conntrack rule" in r.comment,
        23,
    ),
    VersionPattern(
        "cluster IPs are marked in KUBE-SVC chains", "nat", "KUBE-SVC-", _marks_cluster_ip, 22
    ),
    VersionPattern(
        "a jump from INPUT to KUBE-NODEPORTS", "filter", "INPUT", _leads_to("KUBE-NODEPORTS"), 21
    ),
    VersionPattern(
        "a jump from FORWARD to KUBE-EXTERNAL-SERVICES",
        "filter",
        "FORWARD",
        _leads_to("KUBE-EXTERNAL-SERVICES"),
        20,
    ),
    VersionPattern("an unnamed port without a colon", "nat", "KUBE-SERVICES", _unnamed, 19),
    VersionPattern(
        "unmarked packets leave KUBE-POSTROUTING first",
        "nat",
        "KUBE-POSTROUTING",
        lambda r: r.target == "RETURN" and r.has("! --mark"),
        18,
    ),
    VersionPattern("probabilities of ten digits", "nat", "KUBE-SVC-", _ten_digits, 17),
    VersionPattern(
        "a drop of invalid packets in KUBE-FORWARD",
        "filter",
        "KUBE-FORWARD",
        lambda r: r.target == "DROP" and r.value("--ctstate") == "INVALID",
        15,
    ),
    VersionPattern(
        "a jump from INPUT to KUBE-EXTERNAL-SERVICES",
        "filter",
        "INPUT",
        _leads_to("KUBE-EXTERNAL-SERVICES"),
        10,
    ),
    VersionPattern(
        "a jump from FORWARD to KUBE-FORWARD", "filter", "FORWARD", _leads_to("KUBE-FORWARD"), 8
    ),
    VersionPattern(
        "node ports lead to a KUBE-SVC or KUBE-XLB chain",
        "nat",
        "KUBE-NODEPORTS",
        _leads_to("KUBE-SVC-", "KUBE-XLB-"),
        latest=23,
    ),
    VersionPattern("a comment names no endpoint", "nat", "KUBE-SVC-", _name_only, latest=23),
    VersionPattern(
        "a KUBE-FW chain without source ranges", "nat", "KUBE-FW-", _open_firewall, latest=23
    ),
    VersionPattern(
        "replies are accepted by pod addresses",
        "filter",
        "KUBE-FORWARD",
        lambda r: "conntrack pod " in r.comment,
        latest=22,
    ),
    VersionPattern(
        "cluster IPs are marked in KUBE-SERVICES",
        "nat",
        "KUBE-SERVICES",
        _marks_cluster_ip,
        latest=21,
    ),
    VersionPattern(
        "an external IP that depends on the bridge port",
        "nat",
        "KUBE-SERVICES",
        lambda r: r.has("! --physdev-is-in"),
        latest=20,
    ),
    VersionPattern(
        "an unnamed port with a trailing colon", "nat", "KUBE-SERVICES", _colon, latest=19
    ),
    VersionPattern(
        "marked packets are masqueraded by one rule",
        "nat",
        "KUBE-POSTROUTING",
        lambda r: r.target == "MASQUERADE" and r.has("--mark"),
        latest=17,
    ),
    VersionPattern("probabilities of five digits", "nat", "KUBE-SVC-", _five_digits, latest=16),
)

"""Which matches are modelled; any other is unknown."""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.model.ruleset import Match
from analyzer.simulate.machine import Machine
from analyzer.simulate.match.chance import recent
from analyzer.simulate.match.condition import Condition, MatchCompiler
from analyzer.simulate.match.header import iprange, own_options
from analyzer.simulate.match.place import addrtype, owner, physdev, pkttype, rpfilter
from analyzer.simulate.match.ports import icmp, multiport, tcp
from analyzer.simulate.match.sets import set_match
from analyzer.simulate.match.tracking import connmark, conntrack, mark


def _holds_always(_match: Match, _machine: Machine) -> tuple[Condition, ...]:
    return ()


MATCHES: Mapping[str, MatchCompiler] = {
    "": own_options,
    "addrtype": addrtype,
    "comment": _holds_always,
    "connmark": connmark,
    "conntrack": conntrack,
    "icmp": icmp,
    "icmp6": icmp,
    "iprange": iprange,
    "mark": mark,
    "multiport": multiport,
    "nfacct": _holds_always,
    "owner": owner,
    "physdev": physdev,
    "pkttype": pkttype,
    "recent": recent,
    "rpfilter": rpfilter,
    "sctp": tcp,
    "set": set_match,
    "state": conntrack,
    "tcp": tcp,
    "udp": tcp,
    "udplite": tcp,
}
"""Compiler by the name after `-m`; `statistic` is a chance, not a condition (`analyzer.simulate.match.chance`)."""

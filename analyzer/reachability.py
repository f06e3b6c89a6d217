"""Where connections to Services end: every Service port followed through the rulesets, from each node.

What is expected to be forwarded is tried from a pod and from the node itself (cluster IPs) and from outside
(node ports, external and load-balancer IPs). A connection that does not reach one of the Service's endpoints is
a *loss* at the host whose rule, policy or setting decided it, which may be another one than it started from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from analyzer.connections import Site, attempts, in_turn
from analyzer.equal_connections import EqualConnections
from analyzer.known_losses import KnownLosses
from analyzer.losses import Loss, Reachability, losses
from analyzer.simulate.trace import Simulator

MOST_WALKS = 2_000
"""Connections, no two of them equal, that are followed in one analysis (5 ms each): those that a foreign rule names
first, then in turn from every node. The others are told as not evaluated."""


def follow(simulator: Simulator, sites: Sequence[Site], *, sharing: bool = True) -> Reachability:
    """Follow a connection to each expected entry from each site and kind of client, of equal ones a single one.

    Where no site has a foreign rule there is nothing that checks of kube-proxy's own rules would not show, and
    nothing is followed. `sharing`: False to follow each connection, which comes to the same.
    """
    if all(site.untouched for site in sites):
        return Reachability({}, {}, 0)
    lost_on: dict[str, list[Loss]] = defaultdict(list)
    reasons: dict[str, str] = {}
    conclusive: set[str] = set()
    known = KnownLosses(EqualConnections(simulator.atlas, {s.name: s.foreign_rules for s in sites}))
    walks = left_out = 0
    for attempt in in_turn([list(attempts(site)) for site in sites]):
        lost = known.losses(attempt) if sharing else None
        if lost is None and walks == MOST_WALKS:
            left_out += 1
            continue
        if lost is None:
            walks += 1
            trace = simulator.trace(attempt.query)
            lost = list(losses(attempt, trace.outcomes)) if trace.conclusive else []
            known.learn(attempt, trace.outcomes, lost)
            if trace.conclusive:
                conclusive.add(attempt.site)
            else:
                reasons.setdefault(attempt.site, trace.reason)
        for found in lost:
            lost_on[found.step.host].append(found)
    return Reachability(
        {host: tuple(found) for host, found in lost_on.items()},
        {name: reason for name, reason in reasons.items() if name not in conclusive},
        left_out,
    )

"""Words for what a node does with connections, shared by the tree and the picture of it."""

from __future__ import annotations

from fractions import Fraction

from analyzer.language import _, later
from analyzer.model.forwarding import Action, Clients, Entry, FrontendKind, Masquerade

FRONTEND_WORDS = {
    FrontendKind.CLUSTER_IP: later("cluster IP"),
    FrontendKind.NODE_PORT: later("node port"),
    FrontendKind.EXTERNAL_IP: later("external IP"),
    FrontendKind.LOAD_BALANCER_IP: later("load-balancer IP"),
}
CLIENT_WORDS = {
    Clients.ALL: later("all clients"),
    Clients.INTERNAL: later("pods and the node itself"),
    Clients.EXTERNAL: later("clients outside the cluster"),
}
ACTION_WORDS = {
    Action.FORWARD: later("forward"),
    Action.REJECT: later("reject"),
    Action.DROP: later("drop"),
}
_MASQUERADED = {
    Masquerade.NEVER: later("masquerades never"),
    Masquerade.OFF_CLUSTER: later("masquerades clients outside the pod network"),
    Masquerade.ALWAYS: later("masquerades all clients"),
}

_FRACTION_TOLERANCE = 1e-5
"""kube-proxy 1.18 and earlier write five digits of a probability."""

_LARGEST_DENOMINATOR = 100


def share_text(share: float) -> str:
    """`1/3 (33.3 %)`; the fraction is left out where the share is none of small terms."""
    if share <= 0:
        return "0 %"
    percent = f"{share * 100:.1f} %"
    equal = round(1 / share)
    fraction = Fraction(share).limit_denominator(max(equal, _LARGEST_DENOMINATOR))
    if abs(fraction - share) > _FRACTION_TOLERANCE:
        return percent
    return f"{fraction.numerator}/{fraction.denominator} ({percent})"


def masquerade_text(entry: Entry) -> str:
    """Say whose source address the entry replaces."""
    if entry.masquerade is None:
        return _("masquerading unknown")
    return _(_MASQUERADED[entry.masquerade])


def affinity_text(entry: Entry) -> str:
    """Say whether a client keeps its endpoint."""
    if entry.affinity_seconds is None:
        return _("no affinity")
    return _(
        "affinity: a client keeps its endpoint for {seconds} s", seconds=entry.affinity_seconds
    )


def ranges_text(entry: Entry) -> str:
    """Say which sources may use the address."""
    if entry.source_ranges is None:
        return _("open to any source")
    if not entry.source_ranges:
        return _("open to nobody")
    return _("open to {ranges}", ranges=", ".join(entry.source_ranges))

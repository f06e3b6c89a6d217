"""Which kube-proxy a node has: mode, version and options, each with what tells it."""

from __future__ import annotations

from itertools import islice

from analyzer.model.kube_proxy import KubeProxy
from analyzer.model.log import LogEntry
from analyzer.observe.evidence import ProxyEvidence
from analyzer.observe.option_values import number_in
from analyzer.observe.proxy_mode import mode_of
from analyzer.observe.proxy_options import options_of
from analyzer.observe.proxy_version import version_of

__all__ = ["ProxyEvidence", "identify_kube_proxy"]

_LARGE = 1000
"""Endpoints above which kube-proxy saves work (`largeClusterEndpointsThreshold`)."""

_MANY = 10_000_000


def identify_kube_proxy(evidence: ProxyEvidence) -> KubeProxy:
    """Return what is known of a node's kube-proxy."""
    told = mode_of(evidence)
    return KubeProxy(
        mode=told.mode,
        mode_source=told.source,
        version=version_of(evidence),
        options=options_of(evidence, told.mode),
        large_cluster=_has_many_endpoints(evidence),
    )


def _has_many_endpoints(evidence: ProxyEvidence) -> bool:
    """Tell by the KUBE-SEP chains, else by what the log says at a sync (1.24 and later), whether there are many.

    Missing comments alone do not tell: 1.14 writes none for few endpoints either.
    """
    for ruleset in evidence.rulesets:
        nat = ruleset.tables.get("nat")
        names = nat.chains if nat is not None else ()
        endpoints = (name for name in names if name.startswith("KUBE-SEP-"))
        if next(islice(endpoints, _LARGE, None), None) is not None:
            return True
    return any(_logged_endpoints(entry) > _LARGE for entry in evidence.log)


def _logged_endpoints(entry: LogEntry) -> int:
    if entry.message != "Reloading service iptables data":
        return 0
    return number_in(entry.values.get("numEndpoints", ""), 0, _MANY) or 0

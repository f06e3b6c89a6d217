"""What checks are given: the cluster, a node and a Service, with what should be and what is there.

Views are read-only and lazy: nothing is parsed before a check asks for it. They know no file format;
`analyzer.load` hands them sources that do.
"""

from analyzer.snapshot.cluster import ClusterView
from analyzer.snapshot.node import NodeView
from analyzer.snapshot.node_pods import PodsLent
from analyzer.snapshot.node_summary import NodeSummary
from analyzer.snapshot.service import ServiceView
from analyzer.snapshot.sources import (
    Availability,
    ClusterSource,
    ElsewhereError,
    FileState,
    NodeRecord,
    NodeSource,
    PodResolvConf,
)

__all__ = [
    "Availability",
    "ClusterSource",
    "ClusterView",
    "ElsewhereError",
    "FileState",
    "NodeRecord",
    "NodeSource",
    "NodeSummary",
    "NodeView",
    "PodResolvConf",
    "PodsLent",
    "ServiceView",
]

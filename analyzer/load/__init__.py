"""From a bundle to the views that checks are given."""

from __future__ import annotations

from analyzer.bundle.reader import Bundle
from analyzer.load.cluster_source import BundleFiles
from analyzer.snapshot import ClusterView


def load(bundle: Bundle) -> ClusterView:
    """Return the view of a bundle; nothing is parsed yet."""
    return ClusterView(BundleFiles(bundle))

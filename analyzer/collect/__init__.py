"""Collecting: a live cluster, or the node this runs on, to a bundle."""

"""Clusters of any size, and how long svcbundle takes for them."""

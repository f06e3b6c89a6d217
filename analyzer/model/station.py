"""The stations of a request."""

from __future__ import annotations

from enum import Enum


class Station(Enum):
    """What a request passes, in the order of the "Debug Services" document."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    EXISTS = "exists"
    DNS = "dns"
    IP = "ip"
    DEFINITION = "definition"
    ENDPOINTS = "endpoints"
    PODS = "pods"
    KUBE_PROXY = "kube-proxy"
    RULES = "rules"
    PROXYING = "proxying"
    HAIRPIN = "hairpin"
    BUNDLE = "bundle"

    @property
    def order(self) -> int:
        """Position in the document, from 0."""
        return list(Station).index(self)

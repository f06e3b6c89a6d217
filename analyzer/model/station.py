"""The stations of a request, and what came out at one."""

from __future__ import annotations

from enum import Enum

from analyzer.language import later


class Station(Enum):
    """What a request passes, in the order of the "Debug Services" document; people are told `_(station.value)`."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    EXISTS = later("exists")
    DNS = later("dns")
    IP = later("ip")
    DEFINITION = later("definition")
    ENDPOINTS = later("endpoints")
    PODS = later("pods")
    KUBE_PROXY = later("kube-proxy")
    RULES = later("rules")
    PROXYING = later("proxying")
    HAIRPIN = later("hairpin")
    BUNDLE = later("bundle")

    @property
    def order(self) -> int:
        """Position in the document, from 0."""
        return list(Station).index(self)


class Status(Enum):
    """Result of a station for one Service."""

    __hash__ = object.__hash__  # each member is one object; Enum would hash its name, in Python

    PASS = "pass"  # noqa: S105 - a result
    FAIL = "fail"
    WARN = "warn"
    NOT_EVALUATED = "not-evaluated"
    NOT_APPLICABLE = "not-applicable"

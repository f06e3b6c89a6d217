"""Which version a node's kube-proxy is.

The running process says it in its log; its rules bound it. An image tag is what somebody asked for, and the Node
object holds what kubelet believes: they count as long as the rules agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from analyzer.language import _
from analyzer.model.kube_proxy import Minor, Sign, VersionRange
from analyzer.model.source import Ref
from analyzer.observe.evidence import ProxyEvidence
from analyzer.observe.version_signs import version_of_rules

_VERSION = re.compile(r"v?(?P<version>1\.\d{1,3}\.\d{1,3}(?:-(?:alpha|beta|rc)\.\d+)?)", re.ASCII)
_LOGGED = re.compile(r"Version: v", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A version that something states."""

    version: str
    reason: str
    source: Ref

    @property
    def sign(self) -> Sign:
        """The statement as a sign."""
        return Sign(self.version, self.reason, self.source)

    def agrees_with(self, rules: VersionRange) -> bool:
        """Tell whether the rules allow the version."""
        minor = Minor.parse(self.version)
        return minor is None or (
            (rules.earliest is None or minor >= rules.earliest)
            and (rules.latest is None or minor <= rules.latest)
        )


def version_of(evidence: ProxyEvidence) -> VersionRange:
    """Return the version with everything that speaks for and against it, the decisive sign first."""
    rules = version_of_rules(evidence.rulesets)
    logged = next(_logged(evidence), None)
    stated = tuple(_stated(evidence))
    exact = logged or next((s for s in stated if s.agrees_with(rules)), None)
    others = tuple(s.sign for s in stated if s is not exact)
    if exact is None:
        return VersionRange(rules.earliest, rules.latest, signs=(*rules.signs, *others))
    minor = Minor.parse(exact.version)
    return VersionRange(minor, minor, exact.version, (exact.sign, *others, *rules.signs))


def _logged(evidence: ProxyEvidence) -> Iterator[_Statement]:
    """Yield what the log says at each start, the last one first."""
    for entry in reversed(evidence.log):
        if entry.message == "Version info":
            text = entry.values.get("version", "")
        elif _LOGGED.match(entry.message):
            text = entry.message.partition(" ")[2]
        else:
            continue
        found = _VERSION.match(text)
        if found is not None:
            yield _Statement(found["version"], _("kube-proxy logs its version"), entry.source)


def _stated(evidence: ProxyEvidence) -> Iterator[_Statement]:
    pod = evidence.pod
    container = evidence.container_of(pod) if pod is not None else None
    if pod is not None and container is not None:
        tag = container.image.partition("@")[0].rpartition(":")[2]
        found = _VERSION.match(tag)
        if found is not None:
            place = pod.ref.at("spec", "containers", pod.containers.index(container), "image")
            yield _Statement(found["version"], _("tag of the pod's image"), place)
    node = evidence.node
    if node is not None and node.status.node_info is not None:
        found = _VERSION.match(node.status.node_info.kube_proxy_version)
        if found is not None:
            place = node.ref.at("status", "nodeInfo", "kubeProxyVersion")
            yield _Statement(found["version"], _("kubeProxyVersion of the Node"), place)

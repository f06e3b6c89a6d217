"""What the checks of every node ask of its pods: found out once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from analyzer.expect.pod_ranges import PodRange, ranges_of_pods
from analyzer.model.kubernetes import Pod, Workload
from analyzer.observe.replacement import serving_services
from analyzer.snapshot.sources import FileState


class NodePods(Struct, frozen=True):
    """The pods of one node, as far as its checks need them where nothing is wrong with pods.

    A process that has not read the pods is given them: as MessagePack, a small part of what pickle takes.
    """

    proxies: tuple[Pod, ...] = ()
    """Pods of kube-proxy: of its DaemonSet, or static ones."""

    programs: tuple[Pod, ...] = ()
    """Pods of all programs that may serve Services: kube-proxy, its replacements, OpenShift's SDN."""

    unready: tuple[Pod, ...] = ()
    """Pods that are neither ready nor finished nor on their way out."""

    ranges: tuple[PodRange, ...] = ()
    """Addresses of the pods that have a network of their own and are not finished."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Go to another process in one piece; field by field where a number of a dump is too large for that."""
        try:
            return _unpacked, (msgspec.msgpack.encode(self),)
        except OverflowError:
            return NodePods, (self.proxies, self.programs, self.unready, self.ranges)


def _unpacked(packed: bytes) -> NodePods:
    return msgspec.msgpack.decode(packed, type=NodePods)


@dataclass(frozen=True, slots=True)
class PodsLent:
    """What a process that has not read the pods is told of them."""

    nodes: dict[str, NodePods]
    state: FileState
    """Whether the dump of the pods is there and whole."""


def node_pods(pods: Iterable[Pod]) -> NodePods:
    """Return what is asked of the pods of one node."""
    found = tuple(pods)
    return NodePods(
        proxies=tuple([p for p in found if is_kube_proxy(p)]),
        programs=tuple(serving_services(found)),
        unready=tuple([p for p in found if not (p.ready or p.finished or p.terminating)]),
        ranges=tuple(ranges_of_pods(found)),
    )


def is_kube_proxy(item: Pod | Workload) -> bool:
    """Tell by label, then by name and image, whether a pod or DaemonSet is kube-proxy."""
    labels = item.labels
    if labels.get("k8s-app") == "kube-proxy" or labels.get("component") == "kube-proxy":
        return True
    if not item.name.startswith("kube-proxy"):
        return False
    spec = item.spec if isinstance(item, Pod) else item.spec.template.spec
    images = (c.image.rpartition("/")[2] for c in spec.containers or ())
    return any("kube-proxy" in image for image in images)

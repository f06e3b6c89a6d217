"""The API objects of a captured cluster: trimmed ones in tests/data, whole ones in ../shared/captures."""

from __future__ import annotations

import json
import tarfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from analyzer.expect.backends import backends_before_slices, backends_of_slices
from analyzer.expect.forwarding import ForwardingPlan
from analyzer.model.forwarding import ServiceKey
from analyzer.model.kube_proxy import KubeProxy, Minor
from analyzer.model.kubernetes import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Node,
    Pod,
    Resource,
    Service,
    with_ref,
)
from analyzer.model.source import ObjectRef

R = TypeVar("R", bound=Resource)
TRIMMED = Path(__file__).resolve().parent.parent / "data" / "expect"


@dataclass
class Captured:
    """One cluster."""

    read: Callable[[str], str | None]
    """Text of a file by its path in the bundle."""

    paths: tuple[str, ...] = ()
    truth: dict[str, Any] = field(default_factory=dict)
    """What fault.json says."""

    def __post_init__(self) -> None:
        self.services = self._objects("services", Service)
        self.pods = self._objects("pods", Pod)
        self.nodes = self._objects("nodes", Node)
        self.config_maps = self._objects("configmaps", ConfigMap)
        self.endpoints = {e.key: e for e in self._objects("endpoints", Endpoints)}
        self.slices: Mapping[ServiceKey, list[EndpointSlice]] = defaultdict(list)
        for item in self._objects("endpointslices", EndpointSlice):
            self.slices[item.service].append(item)

    def plan(self, proxy: KubeProxy) -> ForwardingPlan:
        """What a kube-proxy should serve, from the endpoints that its version reads."""
        if proxy.version.at_least(Minor(1, 19)) is False:
            found = {
                key: backends_before_slices(item, self.slices.get(key, ()))
                for key, item in self.endpoints.items()
            }
        else:
            found = {key: backends_of_slices(items) for key, items in self.slices.items()}
        return ForwardingPlan(self.services, found)

    def _objects(self, resource: str, kind: type[R]) -> tuple[R, ...]:
        path = f"cluster/{resource}.json"
        text = self.read(path)
        items = json.loads(text)["items"] if text is not None else []
        return tuple(
            with_ref(msgspec.convert(item, kind), ObjectRef(path, index))
            for index, item in enumerate(items)
        )


def trimmed(name: str) -> Captured:
    """A cluster of tests/data/expect."""
    folder = TRIMMED / name

    def read(path: str) -> str | None:
        file = folder / Path(path).name
        return file.read_text() if file.exists() else None

    return Captured(read)


def captured(folder: Path) -> Captured:
    """A cluster of ../shared/captures."""
    with tarfile.open(folder / "bundle.tgz") as archive:
        members = [m for m in archive.getmembers() if m.isfile()]
        texts = {
            m.name.partition("/")[2]: (archive.extractfile(m) or folder.open("rb")).read().decode()
            for m in members
        }
    truth = json.loads((folder / "fault.json").read_text())
    return Captured(texts.get, tuple(texts), truth)

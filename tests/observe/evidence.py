"""What a bundle may hold about a kube-proxy, written down for tests."""

from __future__ import annotations

from typing import Any

import yaml

from analyzer.model.kubernetes import (
    ConfigMap,
    Container,
    Metadata,
    Node,
    NodeStatus,
    NodeSystemInfo,
    Pod,
    PodSpec,
)
from analyzer.model.log import Level, LogEntry
from analyzer.model.node import Document, Process
from analyzer.model.source import ObjectRef, SourceRef
from analyzer.observe.kube_proxy import ProxyEvidence

MODE_FILE = SourceRef("kube-proxy-mode.txt", 1)
CONFIG_FILE = "kube-proxy-config.yaml"
CONFIGZ = "kube-proxy-configz.json"
CONFIG_MAP = "configmaps.json"


def evidence(**given: Any) -> ProxyEvidence:
    """Return evidence of which nothing is there but what is given."""
    nothing: dict[str, Any] = {
        "node": None,
        "rulesets": (),
        "mode_file": None,
        "mode_file_ref": MODE_FILE,
        "log": (),
        "configz": None,
        "config_file": None,
        "config_map": None,
        "other_config_maps": (),
        "processes": (),
        "pods": (),
        "nft_ruleset": None,
    }
    return ProxyEvidence(**{**nothing, **given})


def log(*messages: str | tuple[str, dict[str, str]]) -> tuple[LogEntry, ...]:
    """Return log entries of these messages, with values where a pair is given."""
    pairs = [(m, {}) if isinstance(m, str) else m for m in messages]
    return tuple(
        LogEntry(SourceRef("kube-proxy.log", n), Level.INFO, text, values)
        for n, (text, values) in enumerate(pairs, 1)
    )


def document(path: str, text: str) -> Document:
    """Return a YAML document."""
    return Document(yaml.safe_load(text), ObjectRef(path, -1))


def process(*flags: str, host: str = "") -> Process:
    """Return a kube-proxy process with these options."""
    pairs = (flag.removeprefix("--").partition("=") for flag in flags)
    values = {name: value if equals else "true" for name, equals, value in pairs}
    return Process("kube-proxy", values, (), SourceRef("processes.txt", 2), host)


def pod(image: str, *words: str, name: str = "kube-proxy-abcde") -> Pod:
    """Return a pod with one container."""
    container = Container(name="kube-proxy", image=image, command=words or None)
    return Pod(metadata=Metadata(name=name), spec=PodSpec(containers=(container,)))


def node(*, kube_proxy: str = "", system: str = "linux") -> Node:
    """Return a Node object."""
    info = NodeSystemInfo(kube_proxy_version=kube_proxy, operating_system=system)
    return Node(metadata=Metadata(name="node-a"), status=NodeStatus(node_info=info))


def config_map(name: str, **data: str) -> ConfigMap:
    """Return a ConfigMap; `_` in a key stands for `-`."""
    values = {key.replace("_", "-"): text for key, text in data.items()}
    return ConfigMap(metadata=Metadata(name=name), data=values)

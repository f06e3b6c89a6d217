"""What a bundle holds about the kube-proxy of one node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from analyzer.model.kubernetes import ConfigMap, Container, Node, Pod
from analyzer.model.log import LogEntry
from analyzer.model.node import Document, Process
from analyzer.model.ruleset import Ruleset
from analyzer.model.source import Ref, SourceRef

CONFIGZ = "kubeproxy.config.k8s.io"
"""Key of the configuration in the answer of /configz."""

_FLAG = re.compile(r"FLAG: --(?P<name>[\w-]+)=\"(?P<value>[^\"]*)\"", re.ASCII)
_K3S_START = re.compile(r"Running kube-proxy (?P<flags>--.*)", re.DOTALL)
_K3S_FLAG = re.compile(r"--(?P<name>[\w-]+)(?:=(?P<value>\S*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Flags:
    """Options of one kube-proxy command line."""

    values: dict[str, str]
    """Without leading dashes; a bare one is `true`."""

    source: Ref

    @property
    def configured_by_file(self) -> bool:
        """True with `--config`: then the file decides, and other options are ignored but for a few."""
        return bool(self.values.get("config"))


@dataclass(frozen=True)
class ProxyEvidence:
    """Everything that may tell about a node's kube-proxy; None and empty for what was not collected."""

    node: Node | None
    rulesets: tuple[Ruleset, ...]
    mode_file: str | None
    """Answer of /proxyMode."""

    mode_file_ref: SourceRef
    log: Sequence[LogEntry]
    configz: Document | None
    config_file: Document | None
    config_map: Document | None
    """The `config.conf` of ConfigMap kube-system/kube-proxy."""

    other_config_maps: tuple[ConfigMap, ...]
    """All ConfigMaps of kube-system."""

    processes: tuple[Process, ...]
    pods: tuple[Pod, ...]
    """Pods of the node; those suffice that run a program which serves Services."""

    nft_ruleset: Document | None

    @property
    def alive(self) -> bool:
        """True when anything shows a kube-proxy that runs, or tries to."""
        answered = (self.mode_file or "").strip().isalpha() or self.configz is not None
        return answered or bool(self.log) or self.process is not None or self.pod is not None

    @cached_property
    def process(self) -> Process | None:
        """The process that is kube-proxy or runs it inside itself (k3s, kubelite)."""
        return next((p for p in self.processes if p.program == "kube-proxy"), None)

    @cached_property
    def pod(self) -> Pod | None:
        """The pod that runs kube-proxy."""
        return next((pod for pod in self.pods if self.container_of(pod) is not None), None)

    @staticmethod
    def container_of(pod: Pod) -> Container | None:
        """Return the container that runs kube-proxy, by its program, else by the name of its image."""
        for container in pod.containers:
            words = container.command or container.args
            if words and words[0].rpartition("/")[2] == "kube-proxy":
                return container
            if container.image.rpartition("/")[2].startswith("kube-proxy"):
                return container
        return None

    @cached_property
    def command_line(self) -> Flags | None:
        """Options of the running process, else of the pod, else as the log printed them at the last start."""
        if self.process is not None:
            return Flags(self.process.flags, self.process.source)
        container = self.container_of(self.pod) if self.pod is not None else None
        if self.pod is not None and container is not None:
            words = [*(container.command or ()), *(container.args or ())]
            values = dict(_pairs(words))
            if values:
                return Flags(values, self.pod.ref.at("spec", "containers"))
        return self.logged_flags

    @cached_property
    def logged_flags(self) -> Flags | None:
        """Options that the log prints at the last start (`FLAG:` lines at -v=1 and more; k3s' own line)."""
        values: dict[str, str] = {}
        source: Ref | None = None
        for entry in self.log:
            if entry.message.startswith("FLAG: "):
                found = _FLAG.match(entry.message)
                if found is not None:
                    source = source or entry.source
                    values[found["name"]] = found["value"]
            elif entry.message.startswith("Running kube-proxy "):
                start = _K3S_START.match(entry.message)
                source = entry.source
                values = dict(_K3S_FLAG.findall(start["flags"])) if start else {}
        return None if source is None else Flags(values, source)


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    for word, following in pairwise([*words, ""]):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            yield name, value if equals else ("true" if following.startswith("-") else following)

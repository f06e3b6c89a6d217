"""Which cluster kubectl would ask: the names of the current context."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from analyzer.collect.api import Api, Failure
from analyzer.errors import NothingCollectedError
from analyzer.language import _

ARGUMENTS: Final = ("config", "view", "--minify", "-o", "json")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_LONGEST: Final = 60


class _Inner(msgspec.Struct):
    cluster: str = ""


class _Context(msgspec.Struct):
    name: str = ""
    context: _Inner = msgspec.field(default_factory=_Inner)


class _Config(msgspec.Struct):
    contexts: list[_Context] | None = None


@dataclass(frozen=True, slots=True)
class ClusterName:
    """What the kubeconfig calls the cluster."""

    name: str

    @property
    def in_file_names(self) -> str:
        """The name with nothing that a file name may not have: cloud providers use `arn:aws:...`."""
        safe = _UNSAFE.sub("-", self.name).strip(".-")
        return safe[-_LONGEST:].strip(".-") or "cluster"


def cluster_name(api: Api) -> ClusterName:
    """Return the cluster of the context; `cluster` where there is no kubeconfig, as in a pod.

    Raises NothingCollectedError where kubectl cannot be started, or the context does not exist.
    """
    answer = api.ask(ARGUMENTS, lambda stream: stream.read(1 << 20), attempts=1)
    if answer.failure is Failure.NOT_STARTED:
        raise NothingCollectedError(_("{reason}; --kubectl PATH names it", reason=answer.reason))
    named = api.options.context or api.options.kubeconfig
    if answer.failure is not None and named:
        raise NothingCollectedError(answer.reason)
    try:
        contexts = msgspec.json.decode(answer.content, type=_Config).contexts or []
    except msgspec.DecodeError:
        contexts = []
    return ClusterName(contexts[0].context.cluster if contexts else "cluster")

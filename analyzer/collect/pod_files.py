"""The resolv.conf of a few pods: one for each node and dnsPolicy, and of the pods that the user named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analyzer.collect.api import Answer, Api, Failure
from analyzer.collect.cleaning import cleaned
from analyzer.collect.credentials import without_credentials
from analyzer.collect.sightings import SeenPod, Sightings
from analyzer.collect.spool import Spool, keep_content, timestamp
from analyzer.language import _
from analyzer.model.inputs import Input

_LARGEST: Final = 1 << 20
_DECISIVE: Final = frozenset({Failure.FORBIDDEN, Failure.STOPPED, Failure.LOST})
"""What no other pod of the node would answer differently."""


def samples(seen: Sightings, nodes: frozenset[str]) -> Iterator[tuple[SeenPod, ...]]:
    """Yield, for each node and dnsPolicy, the pods of which one will do, the first first."""
    for pod in seen.named.values():
        yield (pod,)
    for (node, _policy), pods in sorted(seen.samples.items()):
        if node in nodes and pods:
            yield tuple(pods)


def cat_arguments(pod: SeenPod) -> tuple[str, ...]:
    """Return kubectl's arguments that print a pod's resolv.conf."""
    return (
        *("exec", f"--namespace={pod.namespace}", pod.name, f"--container={pod.container}"),
        *("--", "cat", "/etc/resolv.conf"),
    )


@dataclass(slots=True)
class PodFiles:
    """Gets files of pods into the spool."""

    api: Api
    spool: Spool

    def collect(self, candidates: tuple[SeenPod, ...]) -> None:
        """Get the file of the first pod that has a `cat`; the others are noted, and not asked again."""
        if any(_path(pod) in self.spool.entries for pod in candidates):
            return
        without: list[tuple[SeenPod, str]] = []
        for pod in candidates:
            answer = self.api.ask(
                cat_arguments(pod), lambda stream: stream.read(_LARGEST), attempts=2
            )
            if answer.failure is None:
                self._keep(pod, answer)
                for other, reason in without:
                    self.spool.note(
                        _(
                            "{path}: {reason}; {other} stands for it",
                            path=_path(other),
                            reason=reason,
                            other=_path(pod),
                        )
                    )
                return
            without.append((pod, answer.reason))
            if answer.failure in _DECISIVE:
                break
        for pod, reason in without:
            self.spool.lack(_path(pod), reason, ("kubectl", *cat_arguments(pod)))

    def _keep(self, pod: SeenPod, answer: Answer[bytes]) -> None:
        keep_content(
            self.spool,
            _path(pod),
            cleaned(Input.NODE_RESOLV_CONF.value.name, answer.content),
            command=("kubectl", *cat_arguments(pod)),
            started_at=timestamp(answer.ended.started_at),
            duration_ms=answer.ended.duration_ms,
            exit_code=answer.ended.exit_code,
            stderr=without_credentials(answer.ended.stderr),
        )


def _path(pod: SeenPod) -> str:
    return Input.POD_RESOLV_CONF.path(namespace=pod.namespace, pod=pod.name)

"""The resolv.conf of a few pods: one for each node and dnsPolicy, and of the pods that the user named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from analyzer.collect.api import Answer, Api, Failure
from analyzer.collect.cleaning import cleaned
from analyzer.collect.credentials import without_credentials
from analyzer.collect.sightings import SeenPod, Sightings
from analyzer.collect.spool import Spool, keep_content, timestamp
from analyzer.language import _
from analyzer.model.inputs import Input

_LARGEST: Final = 1 << 20
_DECISIVE: Final = frozenset({Failure.STOPPED, Failure.LOST})
"""What no other pod of the node would answer differently."""

_REFUSALS: Final = 3
"""Namespaces that have to refuse before no other one is asked."""

_REFUSED: Final = re.compile(
    r"admission webhook|denied the request|unable to upgrade connection|bad handshake"
)
"""How else than by 403 a command in a pod is refused, whatever the pod has."""


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
    _refused: dict[str, str] = field(default_factory=dict)
    """Namespaces in which no command may be run, with the reason."""

    _succeeded: bool = False

    def collect(self, candidates: tuple[SeenPod, ...]) -> None:
        """Get the file of the first pod that has a `cat`; the others are noted, and not asked again."""
        if any(_path(pod) in self.spool.entries for pod in candidates):
            return
        without: list[tuple[SeenPod, str]] = []
        for pod in candidates:
            if reason := self._refusal(pod):
                without.append((pod, reason))
                continue
            answer = self.api.ask(
                cat_arguments(pod), lambda stream: stream.read(_LARGEST), attempts=2
            )
            if answer.failure is None:
                self._succeeded = True
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
            if answer.failure is Failure.FORBIDDEN or _REFUSED.search(answer.reason):
                self._refused.setdefault(pod.namespace, answer.reason)
            if answer.failure in _DECISIVE:
                break
        for pod, reason in without:
            self.spool.lack(_path(pod), reason, ("kubectl", *cat_arguments(pod)))

    def _refusal(self, pod: SeenPod) -> str:
        """Return why a pod is not asked: its namespace refused before, or all that were asked did."""
        refused = dict(self._refused)
        if pod.namespace in refused:
            reason = refused[pod.namespace]
            return _("not tried: refused in another pod of the namespace: {reason}", reason=reason)
        if len(refused) < _REFUSALS or self._succeeded:
            return ""
        return _(
            "not tried: exec was refused in {count} namespaces, and nowhere allowed: {reason}",
            count=len(refused),
            reason=next(iter(refused.values())),
        )

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

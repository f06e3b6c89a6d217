"""The ways in to a node: what is run so that a shell on it reads node.sh."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeVar

from analyzer.collect.api import Answer, Api, Failure, complaint, failure_of
from analyzer.collect.kubectl import Ended, Processes
from analyzer.collect.node_script import COMMAND
from analyzer.collect.options import NodeAccess
from analyzer.collect.resources import SYSTEM, Need
from analyzer.collect.sightings import SeenNode, is_safe
from analyzer.collect.spool import Spool
from analyzer.language import _
from analyzer.model.inputs import Input

T = TypeVar("T")

_POD_LIVES: Final = 900
"""Seconds after which the container of a debugging pod ends by itself, should nobody delete it."""

_POD_STARTS: Final = 60
_PROFILE: Final = "sysadmin"
_NO_PROFILE: Final = re.compile(r"unknown (?:flag: --)?profile")
"""What kubectl before 1.27 says of the profile; without it the pod is in the host's namespaces, and not privileged."""

_CLEAN_UP_SECONDS: Final = 30.0
_POD_NAME = re.compile(r"\b(node-debugger-[\w.-]*\w)")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+")

REMOTE_SHELL: Final = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi'
"""What ssh runs; the login shell reads it, so it holds nothing that varies."""


class NoWayInError(Exception):
    """A node cannot be entered; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Visit:
    """How node.sh ended on a node."""

    method: str
    ended: Ended
    reason: str
    """Why it failed; empty where it did not."""


def exec_arguments(namespace: str, pod: str, container: str) -> tuple[str, ...]:
    """Return kubectl's arguments that have a container read a script."""
    return (
        *("exec", "-i", f"--namespace={namespace}", pod, f"--container={container}"),
        *("--", *COMMAND),
    )


def debug_arguments(node: str, image: str, profile: str = _PROFILE) -> tuple[str, ...]:
    """Return kubectl's arguments that create a pod on a node, in its host's namespaces."""
    return (
        *(
            "debug",
            f"node/{node}",
            f"--image={image}",
            *((f"--profile={profile}",) if profile else ()),
        ),
        *(f"--namespace={SYSTEM}", "--", "sleep", str(_POD_LIVES)),
    )


def wait_arguments(pod: str) -> tuple[str, ...]:
    """Return kubectl's arguments that wait for a debugging pod to be up."""
    return (
        *("wait", "--for=condition=Ready", f"--namespace={SYSTEM}"),
        *(f"--timeout={_POD_STARTS}s", f"pod/{pod}"),
    )


def delete_arguments(namespace: str, pod: str) -> tuple[str, ...]:
    """Return kubectl's arguments that delete a pod and do not wait until it is gone."""
    return ("delete", "pod", pod, f"--namespace={namespace}", "--wait=false", "--now")


def ssh_command(node: SeenNode, user: str) -> tuple[str, ...]:
    """Return the command that has a login shell on the node read a script."""
    address = node.address
    if not (is_safe(address) or _ADDRESS.fullmatch(address)):
        raise NoWayInError(_("its address is none: {address}", address=repr(address[:80])))
    target = f"{user}@{address}" if user else address
    options = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
    return ("ssh", *options, "--", target, REMOTE_SHELL)


@dataclass(slots=True)
class Door:
    """Runs a script on nodes by the way that was asked for."""

    api: Api
    spool: Spool

    def run(
        self, node: SeenNode, script: bytes, consume: Callable[[BinaryIO], T]
    ) -> tuple[Visit, T]:
        """Have the node read the script and `consume` its output. Raises NoWayInError."""
        match self.api.options.node_access:
            case NodeAccess.EXEC:
                return self._exec(node, script, consume)
            case NodeAccess.DEBUG:
                return self._debug(node, script, consume)
            case NodeAccess.SSH:
                return self._ssh(node, script, consume)
            case NodeAccess.NONE:
                raise NoWayInError(_("--node-access none"))

    def _exec(
        self, node: SeenNode, script: bytes, consume: Callable[[BinaryIO], T]
    ) -> tuple[Visit, T]:
        proxy = node.proxy
        if proxy is None:
            raise NoWayInError(
                _(
                    "{reason}: --node-access debug or ssh, or by hand: svcbundle collect --print-node-script",
                    reason=no_proxy(self.spool),
                )
            )
        arguments = exec_arguments(proxy.namespace, proxy.name, proxy.container)
        return self._enter("kubectl-exec", arguments, script, consume)

    def _debug(
        self, node: SeenNode, script: bytes, consume: Callable[[BinaryIO], T]
    ) -> tuple[Visit, T]:
        image = self.image(node)
        created = self._created(node, image, _PROFILE)
        if created.failure is not None and _NO_PROFILE.search(created.ended.stderr):
            self.spool.note(
                _(
                    "this kubectl knows no --profile=sysadmin (1.27 does): the debugging pods are not privileged, "
                    "and rules may not be readable in them"
                )
            )
            created = self._created(node, image, "")
        said = created.content.decode(errors="replace") + created.ended.stderr
        found = _POD_NAME.search(said)
        if found is None:
            raise NoWayInError(created.reason or _("kubectl debug named no pod"))
        pod = found[1]
        self.spool.pod_created(f"{SYSTEM}/{pod}")
        try:
            ready = self.api.ask(
                wait_arguments(pod),
                lambda stream: stream.read(1 << 16),
                timeout=_POD_STARTS + 10,
                attempts=1,
            )
            if ready.failure is not None:
                raise NoWayInError(
                    _("the debugging pod did not start: {reason}", reason=ready.reason)
                )
            arguments = exec_arguments(SYSTEM, pod, "debugger")
            return self._enter("kubectl-debug", arguments, script, consume)
        finally:
            delete_pod(self.api, self.spool, f"{SYSTEM}/{pod}")

    def _created(self, node: SeenNode, image: str, profile: str) -> Answer[bytes]:
        arguments = debug_arguments(node.name, image, profile)
        return self.api.ask(arguments, lambda stream: stream.read(1 << 16), attempts=1)

    def image(self, node: SeenNode) -> str:
        """Return an image that the node has, with a shell and iptables-save. Raises NoWayInError."""
        held = node.images[0] if node.images else node.proxy.image if node.proxy else ""
        image = self.api.options.debug_image or held
        if not image:
            raise NoWayInError(
                _("the node has no image of kube-proxy: name one that it has with --debug-image")
            )
        return image

    def _ssh(
        self, node: SeenNode, script: bytes, consume: Callable[[BinaryIO], T]
    ) -> tuple[Visit, T]:
        ended, content = self.api.processes.run(
            ssh_command(node, self.api.options.ssh_user),
            consume,
            timeout=self.api.options.node_seconds,
            stdin=script,
        )
        return Visit("ssh", ended, "" if ended.ok else _ssh_reason(ended)), content

    def _enter(
        self,
        method: str,
        arguments: tuple[str, ...],
        script: bytes,
        consume: Callable[[BinaryIO], T],
    ) -> tuple[Visit, T]:
        answer = self.api.ask(
            arguments,
            consume,
            timeout=self.api.options.node_seconds,
            stdin=script,
            attempts=2,
            need=Need.EXEC,
        )
        return Visit(method, answer.ended, answer.reason), answer.content


def no_proxy(spool: Spool) -> str:
    """Return why no pod of kube-proxy is known on a node: a list that did not come tells of none."""
    stem = Input.PODS.path().removesuffix("json")
    if any(path.startswith(stem) for path in spool.missing):
        return _("the pods of the node are not known: their list did not come whole")
    return _("no pod of kube-proxy was found on it")


def delete_pod(api: Api, spool: Spool, pod: str) -> None:
    """Delete a pod that was created, also when the collection is being stopped."""
    namespace, _slash, name = pod.partition("/")
    ended, _output = Processes().run(
        api.invocation(delete_arguments(namespace, name)),
        lambda stream: stream.read(1 << 16),
        timeout=_CLEAN_UP_SECONDS,
    )
    if ended.ok or failure_of(ended) is Failure.NOT_FOUND:
        spool.pod_deleted(pod)
    else:
        spool.note(
            _(
                "the pod {pod} was created and could not be deleted: {reason}; "
                "kubectl delete pod {name} --namespace={namespace}",
                pod=pod,
                name=name,
                namespace=namespace,
                reason=complaint(ended.stderr),
            )
        )


def _ssh_reason(ended: Ended) -> str:
    if ended.interrupted:
        return _("interrupted")
    if ended.timed_out_after is not None:
        return _("timed out after {seconds:.0f} s", seconds=ended.timed_out_after)
    return complaint(ended.stderr) or _("exit status {status}", status=ended.exit_code)

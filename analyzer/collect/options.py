"""What is asked of a collection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analyzer.errors import UsageError
from analyzer.language import _


class NodeAccess(Enum):
    """The way in to a node. Only exec is taken unasked: debug creates a pod, ssh needs a login."""

    EXEC = "exec"
    DEBUG = "debug"
    SSH = "ssh"
    NONE = "none"


@dataclass(frozen=True, slots=True, order=True)
class ObjectName:
    """A namespaced object that the user named."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Write it as the user did."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class NodeChoice:
    """Which nodes are looked into."""

    every: bool = False
    count: int | None = None
    names: tuple[str, ...] = ()

    @property
    def left_to_svcbundle(self) -> bool:
        """The user has not chosen."""
        return not self.every and self.count is None and not self.names


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `svcbundle collect` that say what is asked and how."""

    kubectl: str = "kubectl"
    kubeconfig: str = ""
    context: str = ""
    namespaces: tuple[str, ...] = ()
    """Restrict namespaced objects to these, and kube-system; empty for all."""

    services: tuple[ObjectName, ...] = ()
    pods: tuple[ObjectName, ...] = ()
    pod_exec: bool = True
    nodes: NodeChoice = NodeChoice()
    node_access: NodeAccess = NodeAccess.EXEC
    debug_image: str = ""
    ssh_user: str = ""
    since_seconds: int = 0
    """How far back logs go; 0 without limit."""

    log_bytes: int = 10 << 20
    jobs: int = 4
    command_seconds: float = 60.0
    node_seconds: float = 180.0
    """Limit of node.sh as a whole on one node."""

    total_seconds: float = 1800.0
    preflight: bool = True


def object_name(option: str, text: str) -> ObjectName:
    """Return the object that an option names. Raises UsageError."""
    namespace, slash, name = text.partition("/")
    if not slash or not namespace or not name or "/" in name:
        raise UsageError(
            _(
                "{option} {text}: expected NAMESPACE/NAME, such as default/hostnames",
                option=option,
                text=repr(text),
            )
        )
    return ObjectName(namespace, name)


def node_choice(text: str) -> NodeChoice:
    """Return what `--nodes all|N|NAME,...` chooses; an empty text leaves it to svcbundle."""
    if text == "all":
        return NodeChoice(every=True)
    if text.isdecimal():
        return NodeChoice(count=int(text))
    return NodeChoice(names=tuple(part.strip() for part in text.split(",") if part.strip()))

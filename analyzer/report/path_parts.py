"""What the picture of a path is made of, before anything has a place: boxes, lanes, and groups of equal nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from analyzer.language import later


class Tone(Enum):
    """How a part of the path is; the value is its class in the page."""

    PLAIN = "plain"
    GOOD = "good"
    UNKNOWN = "unknown"
    WARN = "warn"
    MISSING = "missing"
    """It should be there, and is not."""

    BAD = "bad"
    """It is there, and is wrong."""

    @property
    def order(self) -> int:
        """0 for what matters least."""
        return list(Tone).index(self)


TONE_SIGNS = {
    Tone.PLAIN: "",
    Tone.GOOD: "✓",
    Tone.UNKNOWN: "?",
    Tone.WARN: "!",
    Tone.MISSING: "∅",
    Tone.BAD: "✗",
}
TONE_WORDS = {
    Tone.PLAIN: "",
    Tone.GOOD: later("as expected"),
    Tone.UNKNOWN: later("not known"),
    Tone.WARN: later("doubtful"),
    Tone.MISSING: later("missing"),
    Tone.BAD: later("wrong"),
}


@dataclass(frozen=True, slots=True)
class Box:
    """One thing on the path."""

    title: str
    notes: tuple[str, ...] = ()
    tone: Tone = Tone.PLAIN
    marks: tuple[int, ...] = ()
    """Numbers of the findings about it."""

    place: str = field(default="", compare=False)
    """`file:line` of the rule; of the first node where several are alike."""


@dataclass(frozen=True, slots=True)
class Front:
    """How connections to one address come in."""

    client: Box
    address: Box
    dispatch: Box | None
    """The chain that finds the Service; None where nothing is translated (headless, ExternalName)."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One endpoint that may be chosen, or a pod that gets nothing."""

    pod: Box
    share: str = ""
    chain: Box | None = None
    """KUBE-SEP-…, or the endpoint; None where no rule leads to the pod."""

    delivery: Box = Box("")
    """The way from the node to the pod; its title is not shown."""

    idle: bool = False
    """True for a pod that gets nothing."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Addresses that lead to the same endpoints."""

    port: str
    """Label of the Service port; empty where there is but one."""

    fronts: tuple[Front, ...]
    service: Box | None
    """KUBE-SVC-…, or how the connection is refused; None where nothing is translated."""

    branches: tuple[Branch, ...]
    more: str = ""
    """What is said of the branches that are not drawn."""


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes that treat the Service alike, drawn once."""

    nodes: tuple[str, ...]
    """Empty where no node takes part."""

    lanes: tuple[Lane, ...]
    tone: Tone
    """The gravest of its parts."""

    unread: bool = False
    """True where the rules of these nodes are not known: what is drawn is what they should do."""


def parts_of(lane: Lane) -> tuple[Box, ...]:
    """Return all boxes of a lane, in the order in which a packet meets them."""
    fronts = (b for f in lane.fronts for b in (f.client, f.address, f.dispatch))
    branches = (x for b in lane.branches for x in (b.chain, b.delivery, b.pod))
    return tuple(box for box in (*fronts, lane.service, *branches) if box is not None)

"""What is noted of a packet's way where no rule decides: routes, settings, bridges."""

from __future__ import annotations

from analyzer.language import _
from analyzer.model.source import Ref
from analyzer.simulate.address import spell
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Step
from analyzer.simulate.machine import Machine
from analyzer.simulate.routing import RouteAnswer, RouteKind


def routed(machine: Machine, branch: Branch, answer: RouteAnswer, effect: str) -> Branch:
    """Return the branch after a route has decided."""
    subject = _("no route") if answer.route is None else answer.route
    source = None if answer.route is None else answer.route.source
    return branch.stepped(Step(machine.name, branch.leg, None, "", "", source, subject, effect))


def noted(
    machine: Machine, branch: Branch, what: str, effect: str, source: Ref | None = None
) -> Branch:
    """Return the branch after something else has decided: `what` is its name."""
    return branch.stepped(Step(machine.name, branch.leg, None, "", "", source, what, effect))


def unroutable(machine: Machine, branch: Branch, answer: RouteAnswer) -> Ending:
    """Return the end of a packet that no route leads on."""
    name, destination = machine.name, spell(branch.packet.family, branch.packet.flow.destination)
    if answer.kind is RouteKind.UNKNOWN:
        reason = _("{name}: {reason}, which is not modelled", name=name, reason=answer.reason)
        return Ending(branch, Fate.INCONCLUSIVE, Cause.UNKNOWN, reason)
    missing = answer.kind is RouteKind.NONE
    kind = _("no route") if missing else _("a route of kind {kind}", kind=answer.kind.value)
    reason = _("{name} has {kind} to {destination}", name=name, kind=kind, destination=destination)
    return Ending(routed(machine, branch, answer, kind), Fate.UNROUTABLE, Cause.NO_ROUTE, reason)

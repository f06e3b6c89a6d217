"""What is noted of a packet's way where no rule decides: routes, settings, bridges."""

from __future__ import annotations

from analyzer.language import _
from analyzer.model.ruleset import Family
from analyzer.model.source import Ref
from analyzer.simulate.address import number, spell
from analyzer.simulate.branch import Branch, Cause, Ending, Fate, Step
from analyzer.simulate.machine import LIMITED_BROADCAST, MULTICAST, Machine
from analyzer.simulate.packet import Packet
from analyzer.simulate.routing import RouteAnswer, RouteKind

_ALL_HOSTS = frozenset(v for t in ("224.0.0.1", "ff01::1", "ff02::1") if (v := number(t)))


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


def special_route(packet: Packet) -> RouteAnswer | None:
    """Return where a packet goes that has come in for many, whatever the routes; None for any other.

    Groups are joined by processes: only of that of all hosts it is known.
    """
    destination = packet.flow.destination
    if packet.family is Family.IPV4 and destination == LIMITED_BROADCAST:
        return RouteAnswer(RouteKind.BROADCAST)
    if not MULTICAST[packet.family].holds(destination):
        return None
    if destination in _ALL_HOSTS:
        return RouteAnswer(RouteKind.BROADCAST)
    text = spell(packet.family, destination)
    return RouteAnswer(RouteKind.UNKNOWN, reason=_("who has joined {text}", text=text))


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

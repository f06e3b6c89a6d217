"""The address that a client takes for a connection."""

from __future__ import annotations

from analyzer.model.ruleset import Family
from analyzer.simulate.address import family_of, number
from analyzer.simulate.atlas import Atlas, HostSite, Outside, Place
from analyzer.simulate.host import PodSite
from analyzer.simulate.machine import Machine, loopback
from analyzer.simulate.routing import RouteKey
from analyzer.simulate.source_address import source_by


def client_address(atlas: Atlas, start: Place, family: Family, destination: int) -> int | None:
    """Return the client's address towards a destination, or None where it has none that leads there."""
    match start:
        case PodSite(addresses=texts):
            if loopback(family, destination):
                return destination
            own = (number(t) for t in texts if family_of(t) is family)
            return next((v for v in own if v is not None), None)
        case Outside(address):
            return address
        case HostSite(name):
            return _of_host(atlas.machines[name], family, destination)


def _of_host(machine: Machine, family: Family, destination: int) -> int | None:
    answer = machine.routes(family).lookup(RouteKey(destination))
    return source_by(machine, family, answer, destination)

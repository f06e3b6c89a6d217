"""What a check is: a probe, and what the catalogue says about it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analyzer.model.inputs import Input
from analyzer.model.severity import Severity
from analyzer.model.station import Station

if TYPE_CHECKING:  # `svcbundle explain` needs no more than the above
    from analyzer.problems import Outcome

    Probe = Callable[[Any], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Check:
    """A probe with all that the catalogue says about it."""

    slug: str
    station: Station
    severity: Severity
    needs: tuple[Input, ...]
    """Inputs without which the probe is not run: the check ends as not evaluated."""

    consequence_of: tuple[str, ...]
    """Slugs of checks whose finding on the same subject explains a finding of this one."""

    references: tuple[str, ...]
    advisory: bool
    """True where its station may pass without it: what it needs is seldom collected, or it only advises."""

    subject: str
    """Class name of what the probe is given: `ClusterView`, `NodeView` or `ServiceView`."""

    summary: str
    """First sentence of the probe's docstring."""

    documentation: str
    """The whole docstring, dedented: what `svcbundle explain` prints."""

    probe: Probe

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        """Go to another process as the name that the file gives it."""
        return _defined, (self.probe.__module__, self.probe.__name__)


def _defined(module: str, name: str) -> Check:
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, Check)
    return found


def check(  # noqa: PLR0913 - each is one column of the catalogue
    *,
    station: Station,
    severity: Severity,
    needs: tuple[Input, ...] = (),
    consequence_of: tuple[str, ...] = (),
    references: tuple[str, ...] = (),
    advisory: bool = False,
) -> Callable[[Probe], Check]:
    """Make a probe a check; its slug is the function's name with dashes, its page the docstring.

    The annotation of the probe's only parameter says what it is called with, once each:
    `ClusterView` (the whole), `NodeView` (each Linux node) or `ServiceView` (each Service).
    Raises `TypeError` for a probe without docstring or annotation.
    """

    def decorate(probe: Probe) -> Check:
        documentation = inspect.getdoc(probe)
        parameters = list(inspect.signature(probe).parameters.values())
        subject = parameters[0].annotation if len(parameters) == 1 else None
        if not documentation or not isinstance(subject, str):
            raise TypeError(
                f"{probe.__name__}: a probe takes one annotated view and has a docstring"
            )
        return Check(
            slug=probe.__name__.replace("_", "-"),
            station=station,
            severity=severity,
            needs=needs,
            consequence_of=consequence_of,
            references=references,
            advisory=advisory,
            subject=subject.rpartition(".")[2],
            summary=documentation.split("\n\n")[0].replace("\n", " "),
            documentation=documentation,
            probe=probe,
        )

    return decorate

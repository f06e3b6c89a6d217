"""What was not evaluated, by the file that would decide it and the command that gives the file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from analyzer.findings import NotEvaluated
from analyzer.language import _


@dataclass(frozen=True, slots=True)
class Gap:
    """A file that is missing, for one node (or pod) or for several of them."""

    path: str
    """Its path; `nodes/<node>/…` where it is missing for several nodes; empty where no file would help."""

    owners: tuple[str, ...]
    """The nodes (or pods) that it is missing for; empty for a file of the whole cluster."""

    command: str
    """Command that gives it, with `<node>` where it is missing for several; empty where none is known."""

    reasons: tuple[str, ...]
    checks: tuple[str, ...]
    """Slugs of the checks that wait for it."""

    subjects: tuple[str, ...]
    """What those checks could not be run on."""

    @property
    def where(self) -> str:
        """On which machine to run the command, where that matters: kubectl runs anywhere."""
        if not self.path.startswith("nodes/") or self.command.startswith("kubectl "):
            return ""
        return (
            _("on {owner}", owner=self.owners[0])
            if len(self.owners) == 1
            else _("on each of these nodes")
        )

    @property
    def peculiar(self) -> str:
        """The first reason that is not about the want of this file, such as a dump that is cut off; empty for none."""
        return next((reason for reason in self.reasons if self.path not in reason), "")


@dataclass(frozen=True, slots=True)
class _Place:
    """A path taken apart into whose file it is and which."""

    path: str
    template: str
    owner: str
    variables: tuple[tuple[str, str], ...]
    """What stands in the path for which placeholder."""


def gaps_of(items: Iterable[NotEvaluated]) -> tuple[Gap, ...]:
    """Return the gaps, those that most checks wait for first."""
    groups: dict[str, list[tuple[_Place, NotEvaluated]]] = defaultdict(list)
    for item in items:
        place = _place(item.missing[0] if item.missing else "")
        groups[place.template or f" {item.reason}"].append((place, item))
    gaps = (_gap(members) for members in groups.values())
    return tuple(sorted(gaps, key=lambda gap: (not gap.path, -len(gap.checks), gap.path)))


def _place(path: str) -> _Place:
    match path.split("/"):
        case ["nodes", node, *rest] if rest:
            return _Place(path, f"nodes/<node>/{'/'.join(rest)}", node, ((node, "<node>"),))
        case ["pods", namespace, pod, *rest] if rest:
            variables = ((namespace, "<namespace>"), (pod, "<pod>"))
            template = f"pods/<namespace>/<pod>/{'/'.join(rest)}"
            return _Place(path, template, f"{namespace}/{pod}", variables)
        case _:
            return _Place(path, path, "", ())


def _gap(members: list[tuple[_Place, NotEvaluated]]) -> Gap:
    places = [place for place, _ in members]
    items = [item for _, item in members]
    several = len({place.path for place in places}) > 1
    command = next((i.command for i in items if i.command), "")
    if several:
        command = next((_general(i.command, p) for p, i in members if i.command), "")
    return Gap(
        path=places[0].template if several else places[0].path,
        owners=tuple(sorted({place.owner for place in places if place.owner})),
        command=command,
        reasons=_distinct(_general(i.reason, p) if several else i.reason for p, i in members),
        checks=_distinct(item.check.slug for item in items),
        subjects=_distinct(item.subject for item in items),
    )


def _general(text: str, place: _Place) -> str:
    """Return the text with placeholders for this one node or pod, whose name stands alone or after `=` or `/`."""
    for name, placeholder in place.variables:
        alone = rf"(?<![^\s=/]){re.escape(name)}(?![^\s=/])"
        text = re.sub(alone, placeholder, text)
    return text


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))

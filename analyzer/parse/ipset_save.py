"""ipset-save.txt: the sets and members that `ipset save` prints."""

from __future__ import annotations

import re

from analyzer.language import _
from analyzer.model.ip_set import IPSet, SetMember
from analyzer.model.source import ParseProblem, SourceRef
from analyzer.parse.parsed import Parsed

_LINE = re.compile(
    r"(?P<verb>create|add)\s+(?P<name>\"[^\"]*\"|\S+)\s+(?P<what>\S+)(?P<options>(?:\s.*)?)"
)
_FAMILY = re.compile(r"\sfamily\s+(\S+)")
_COMMENT = re.compile(r"\scomment\s+(?:\"[^\"]*\"|\S+)")
_SHOWN = 200


def parse_ipset_save(path: str, text: str) -> Parsed[dict[str, IPSet]]:
    """Return the sets by name, in file order, with members in file order."""
    created: dict[str, IPSet] = {}
    members: dict[str, list[SetMember]] = {}
    problems: list[ParseProblem] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        match = _LINE.fullmatch(line.strip())
        source = SourceRef(path, number)
        if match is None:
            if line.strip():
                problems.append(_problem(path, number, line, _("not a line of ipset save")))
            continue
        name = match["name"].strip('"')
        if match["verb"] == "create":
            family = _FAMILY.search(match["options"])
            created[name] = IPSet(name, match["what"], family[1] if family else "inet", (), source)
            members.setdefault(name, [])
        elif name in created:
            options = _COMMENT.sub("", match["options"]).split()
            members[name].append(SetMember(match["what"], "nomatch" in options, source))
        else:
            problems.append(
                _problem(path, number, line, _("set {name} was not created before", name=name))
            )
    sets = {
        name: IPSet(name, found.kind, found.family, tuple(members[name]), found.source)
        for name, found in created.items()
    }
    return Parsed(sets, tuple(problems))


def _problem(path: str, line: int, text: str, message: str) -> ParseProblem:
    return ParseProblem(path, line, 0, message, _("create or add"), text[:_SHOWN])

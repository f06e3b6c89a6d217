"""ipset-save.txt: the sets and members that `ipset save` prints."""

from __future__ import annotations

import re
from dataclasses import replace

from analyzer.language import _
from analyzer.model.ip_set import IPSet, SetMember
from analyzer.model.source import ParseProblem, SourceRef
from analyzer.parse.parsed import Parsed

_LINE = re.compile(
    r"(?P<verb>create|add)\s+(?P<name>\"[^\"]*\"|\S+)\s+(?P<what>\S+)(?P<options>(?:\s.*)?)"
)
_FAMILY = re.compile(r"\sfamily\s+(\S+)")
_MASK = re.compile(r"\s(?:netmask|bitmask)\s+([^\s/]+)")
"""ipset 7.17 prints `bitmask 255.0.0.255/154`."""

_MARK_MASK = re.compile(r"\smarkmask\s+(\S+)")
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
            created[name] = _created(name, match["what"], match["options"], source)
            members.setdefault(name, [])
        elif name in created:
            options = _COMMENT.sub("", match["options"]).split()
            members[name].append(SetMember(match["what"], "nomatch" in options, source))
        else:
            problems.append(
                _problem(path, number, line, _("set {name} was not created before", name=name))
            )
    sets = {name: replace(found, members=tuple(members[name])) for name, found in created.items()}
    return Parsed(sets, tuple(problems))


def _created(name: str, kind: str, options: str, source: SourceRef) -> IPSet:
    family, mask, mark = (p.search(options) for p in (_FAMILY, _MASK, _MARK_MASK))
    return IPSet(
        name,
        kind,
        family[1] if family else "inet",
        (),
        source,
        netmask=mask[1] if mask else "",
        markmask=mark[1] if mark else "",
    )


def _problem(path: str, line: int, text: str, message: str) -> ParseProblem:
    return ParseProblem(path, line, 0, message, _("create or add"), text[:_SHOWN])

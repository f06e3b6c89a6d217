"""One line of iptables-save by the grammar `iptables_save.lark`, as a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from analyzer.language import _, later
from analyzer.model.ruleset import Backend, Family
from analyzer.parse.iptables_line import (
    ChainLine,
    ChainRemoval,
    Generated,
    Line,
    NotALine,
    Remark,
    TableLine,
    counters_of,
    policy_of,
)
from analyzer.parse.rule_shape import rule_line, slot, table_of, tokens
from analyzer.resources import resource_text

LONGEST_LINE = 65_536
"""Characters; iptables-restore reads 10,240 (`buffer` in `iptables/iptables-restore.c`)."""

_EXPECTED = {
    "NAME": later("a name"),
    "MATCH_NAME": later("the name of a match"),
    "POLICY": later("a policy (ACCEPT, DROP or -)"),
    "COUNTERS": later("counters such as [0:0]"),
    "NUMBER": later("a number"),
    "VALUE": later("a value"),
    "STRING": later("a text"),
    "OPTION": later("an option"),
    "_MATCH_FLAG": "-m",
    "JUMP_FLAG": "-j",
}
"""The grammar's terminals in the user's words; what is not here goes without saying."""


def parse_line(text: str) -> Line:
    """Read one line; it has no line end, no blank at either end, and is not empty."""
    if len(text) > LONGEST_LINE:
        return NotALine(
            LONGEST_LINE + 1,
            _("a line of at most {longest_line:,} characters", longest_line=LONGEST_LINE),
        )
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as error:
        return _not_a_line(text, error)
    return _RECORDS[tree.data](tree, text)


@cache
def terminal(name: str) -> str:
    """Return the regular expression of one of the grammar's terminals."""
    return str(_grammar().get_terminal(name).pattern.to_regexp())


@cache
def _grammar() -> Lark:
    return Lark(resource_text("grammars", "iptables_save.lark"), start="line", parser="lalr")


def _not_a_line(text: str, error: UnexpectedInput) -> NotALine:
    allowed: Iterable[str] = ()
    position = error.pos_in_stream or 0
    if isinstance(error, UnexpectedToken):
        allowed = error.expected
        position = len(text) if error.token.type == "$END" else position
    elif isinstance(error, UnexpectedCharacters):
        allowed = error.allowed or ()
    if position == 0:
        expected = _("a rule (-A), a chain (:NAME), a table (*NAME), COMMIT or a comment (#)")
    elif text[position : position + 1] in {'"', "'"}:
        expected = _("a closing quote with a blank after it")
    elif text[position:] == "\\":
        expected = _("the whole rule in one line")
    else:
        words = (_(words) for name, words in _EXPECTED.items() if name in allowed)
        expected = _(" or ").join(words) or _("the end of the line")
    return NotALine(position + 1, expected)


def _generated(tree: Tree[Token], _text: str) -> Generated:
    program, version = _word(tree, "PROGRAM"), _word(tree, "VERSION")
    families = {"iptables": Family.IPV4, "ip6tables": Family.IPV6}
    return Generated(
        generator=f"{program} {version}",
        backend=_backend(program, version, _word(tree, "MODE")),
        family=families.get(program.partition("-")[0]),
    )


def _backend(program: str, version: str, mode: str) -> Backend:
    """Tell nf_tables from legacy; their headers are the same from 1.8.0 (unless as xtables-save) to 1.8.7."""
    if mode == "(nf_tables)" or program.startswith("xtables-") or "-nft-" in program:
        return Backend.NFT
    if mode == "(legacy)" or "-legacy-" in program:
        return Backend.LEGACY
    return Backend.UNKNOWN if re.fullmatch(r"v1\.8\.[0-7]", version) else Backend.LEGACY


def _declared_chain(tree: Tree[Token], _text: str) -> ChainLine:
    counters = _word(tree, "COUNTERS")
    parts = tree.children if counters else []
    return ChainLine(
        name=_word(tree, "NAME"),
        policy=policy_of(_word(tree, "POLICY")),
        counters=counters_of(counters) if counters else None,
        slots=tuple(slot(token) for token in parts if isinstance(token, Token)),
    )


def _listed_chain(tree: Tree[Token], _text: str) -> ChainLine:
    numbers = tokens(tree, "NUMBER")
    return ChainLine(
        name=_word(tree, "NAME"),
        policy=policy_of(_word(tree, "POLICY")),
        counters=(int(numbers[0]), int(numbers[1])) if numbers else None,
        table=table_of(tree),
        listed=True,
    )


def _removal(tree: Tree[Token], _text: str) -> ChainRemoval:
    return ChainRemoval(
        name=_word(tree, "NAME") or None,
        rules_only=tree.data == "flush_chain",
        table=table_of(tree),
    )


def _word(tree: Tree[Token], terminal_name: str) -> str:
    found = tokens(tree, terminal_name)
    return str(found[0]) if found else ""


_RECORDS: dict[str, Callable[[Tree[Token], str], Line]] = {
    "rule": rule_line,
    "inserted_rule": rule_line,
    "declaration": _declared_chain,
    "table": lambda tree, _: TableLine(_word(tree, "NAME")),
    "commit": lambda *_: Remark.COMMIT,
    "generated": _generated,
    "warning_opaque": lambda *_: Remark.WARNING,
    "completed": lambda *_: Remark.IGNORED,
    "comment_opaque": lambda *_: Remark.IGNORED,
    "noise_opaque": lambda *_: Remark.IGNORED,
    "policy": _listed_chain,
    "new_chain": _listed_chain,
    "delete_chain": _removal,
    "flush_chain": _removal,
}
"""The record of each of the grammar's lines."""

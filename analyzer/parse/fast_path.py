"""Regular expressions made of a grammar's own rules, for lines that are too many to be parsed one by one.

The grammar stays the only definition: a pattern is put together from the rules and terminals that Lark loaded,
and tests hold what it matches to what Lark parses.
"""

from __future__ import annotations

import re

from lark import Lark
from lark.grammar import NonTerminal, Rule, Symbol


def pattern_of(grammar: Lark, rule: str) -> re.Pattern[str]:
    """Return a pattern that matches what a rule without recursion matches, one named group a terminal.

    Alternatives are tried as Lark's lexer tries them: by the priority of their first terminal, the empty one last.
    Each terminal may stand in the rule once.
    """
    return re.compile(_rule_pattern(grammar, rule))


def terminal_pattern(grammar: Lark, terminal: str) -> re.Pattern[str]:
    """Return the pattern of one terminal."""
    return re.compile(grammar.get_terminal(terminal).pattern.to_regexp())


def _rule_pattern(grammar: Lark, name: str) -> str:
    alternatives = [rule for rule in grammar.rules if rule.origin.name == name]
    alternatives.sort(key=lambda rule: _precedence(grammar, rule))
    parts = [
        "".join(_symbol_pattern(grammar, symbol) for symbol in rule.expansion)
        for rule in alternatives
    ]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _precedence(grammar: Lark, rule: Rule) -> tuple[bool, int]:
    if not rule.expansion or isinstance(rule.expansion[0], NonTerminal):
        return (not rule.expansion, 0)
    return (False, -grammar.get_terminal(rule.expansion[0].name).priority)


def _symbol_pattern(grammar: Lark, symbol: Symbol) -> str:
    if isinstance(symbol, NonTerminal):
        return _rule_pattern(grammar, symbol.name)
    return f"(?P<{symbol.name}>{grammar.get_terminal(symbol.name).pattern.to_regexp()})"

"""The grammars, each loaded once, when first asked for."""

from __future__ import annotations

from functools import cache

from lark import Lark

from analyzer.resources import resource_text

_STARTS = {
    "command_line": ["command_line"],
    "klog": ["line", "body", "fields"],
    "resolv_conf": ["line"],
    "sysctl": ["line"],
}


@cache
def load_grammar(stem: str) -> Lark:
    """Return the LALR parser of `grammars/<stem>.lark`."""
    return Lark(resource_text("grammars", f"{stem}.lark"), parser="lalr", start=_STARTS[stem])

"""Text of iptables-save, ip6tables-save and `iptables -S` to rulesets.

A ruleset prints itself back (`print_ruleset`) with the same rules in the same order, byte for byte, but for:

* line ends, byte order mark, NUL bytes and terminal escapes; blanks at both ends of a line; empty lines;
* comments (the header and footer with the date among them), prompts and other noise;
* chain declarations stand before the rules of their table, and one blank between the words of a declaration and
  between counters and rule;
* `-P` and `-N` are printed as declarations, `-I` as `-A` at the place that it names, `-t nat -A` within its table,
  long forms of these as the short ones.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from analyzer.model.ruleset import Chain, Family, Rule, Ruleset
from analyzer.parse.iptables_grammar import LONGEST_LINE
from analyzer.parse.iptables_line import counters_of, policy_of
from analyzer.parse.line_shapes import LineShape, LineShapes
from analyzer.parse.ruleset_builder import RulesetBuilder
from analyzer.parse.table_content import declare_chain, rules_of

_TERMINAL_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b\n]*+(?:\x07|\x1b\\)|[@-Z\\^_=>])"
)
"""Control sequences, window titles and two-character escapes (ECMA-48)."""


KnownRules = dict[str, Rule]
"""Rules by their lines. Nodes of one cluster have most of them in common."""

_MOST_KNOWN = 1 << 17
"""Rules that are remembered: some 90 MB."""


def parse_iptables_save(
    path: str, text: str, family: Family, known: KnownRules | None = None
) -> tuple[Ruleset, ...]:
    """Return all dumps in a file, oldest first; a file without any gives one empty ruleset. Never raises.

    What was read in other files is in `known` and not read once more; None for a file that is alone. `family` holds
    where no header says otherwise. A new dump begins where a table comes again or the header names
    another generator. Lines are separated by LF, CR LF or CR.
    """
    *lines, rest = _lines(text)
    builder = RulesetBuilder(path, family)
    with _without_garbage_collection():
        _read(lines, 1, builder, known)
    cut = builder.unfinished and rest.strip() not in {"", "COMMIT"}
    if not cut:
        _read([rest], len(lines) + 1, builder, None)
    last = rest or "".join(lines[-1:])
    return builder.finish(len(lines) + bool(rest), last, cut=cut)


def _lines(text: str) -> list[str]:
    """Return the lines without what no line of iptables-save holds; the last one has no line end."""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text:
        text = _TERMINAL_ESCAPE.sub("", text)
    return text.lstrip("\ufeff\ufffd").split("\n")


def _read(
    lines: Iterable[str], first: int, builder: RulesetBuilder, known: KnownRules | None
) -> None:
    """Give each line to the builder, read by the shape that came after the last line's shape last time."""
    shapes = _shapes()
    last = LineShape(None, counted=False)
    chains, name, rules = builder.chains, "", list[Rule]()
    elsewhere: KnownRules = {} if known is None else known
    for number, line in enumerate(lines, first):
        same = elsewhere.get(line)
        if same is not None:
            rule = Rule(same.shape, same.values, number, same.counters)
        else:
            shape = last.next
            match = shape.match(line)
            if match is None or len(line) > LONGEST_LINE:
                text = line.strip()
                found = shapes.find(text, last)
                if found is None:
                    if text:
                        builder.take(shapes.read(text), number, line)
                        chains, name = builder.chains, ""
                    continue
                shape, match = found
            last = shape
            values = match.groups()
            if shape.rule is None:
                chain = Chain(values[0], number, policy_of(values[1]), counters_of(values[2]))
                declare_chain(chains, chain)
                continue
            counters = None
            if shape.counted:
                counters, values = counters_of(values[0]), values[1:]
            rule = Rule(shape.rule, values, number, counters)
            if known is not None and len(known) < _MOST_KNOWN:
                known[line] = rule
        if rule.values[0] != name:
            name = rule.values[0]
            rules = rules_of(chains, name)
        rules.append(rule)


@cache
def _shapes() -> LineShapes:
    return LineShapes()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Keep the collector from walking a growing ruleset again and again; nothing that is made here is cyclic."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

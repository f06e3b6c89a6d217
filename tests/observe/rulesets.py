"""Rulesets for tests: whole dumps from tests/data/observe, and small ones that a test writes down."""

from __future__ import annotations

from pathlib import Path

from analyzer.model.forwarding import Entry, ForwardingTable, Target
from analyzer.model.ruleset import Family, Ruleset
from analyzer.parse.iptables_save import parse_iptables_save

DATA = Path(__file__).resolve().parent.parent / "data" / "observe"


def dump(name: str) -> Ruleset:
    """Return a dump of tests/data/observe."""
    family = Family.IPV6 if name == "ipv6" else Family.IPV4
    text = (DATA / f"{name}.txt").read_text()
    return parse_iptables_save(f"{name}.txt", text, family)[-1]


def tables(*, nat: str = "", filter_table: str = "", complete: bool = True) -> Ruleset:
    """Return a ruleset with these rules; every chain of a rule or jump is declared."""
    parts = [_table(name, rules) for name, rules in (("nat", nat), ("filter", filter_table))]
    text = "".join(parts)
    if not complete:
        text = text.replace("COMMIT\n", "")
    return parse_iptables_save("rules.txt", text, Family.IPV4)[-1]


def _table(name: str, rules: str) -> str:
    lines = [line.strip() for line in rules.strip().splitlines() if line.strip()]
    chains = dict.fromkeys(
        word for line in lines for word in line.split() if word.startswith("KUBE-")
    )
    absent = {c for c in chains if c.endswith("ABSENT") or c.startswith("KUBE-MARK")}
    declared = [f":{c} - [0:0]" for c in chains if c not in absent]
    builtin = [":PREROUTING ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]"]
    return "\n".join([f"*{name}", *builtin, *declared, *lines, "COMMIT", ""])


def render(table: ForwardingTable) -> str:
    """Return a table as text: an entry with all that is said of it, then its targets."""
    return "".join(_entry(e) + "".join(_target(t) for t in e.targets) for e in table.entries)


def _entry(entry: Entry) -> str:
    masquerade = "-" if entry.masquerade is None else entry.masquerade.value
    marked = "" if entry.masquerade_source is None else f" (line {entry.masquerade_source.line})"
    declared = "" if entry.chain_source is None else f" (line {entry.chain_source.line})"
    lines = [
        f"{entry.frontend}: {entry.action.value}, {entry.clients.value} (line {entry.source.line})",
        f"  of {entry.service_port}, chain {entry.chain or '-'}{declared}",
        f"  masquerade {masquerade}{marked}",
    ]
    if entry.affinity_seconds is not None:
        lines.append(f"  affinity {entry.affinity_seconds} s")
    if entry.source_ranges is not None:
        lines.append(f"  for {', '.join(entry.source_ranges)}")
    return "".join(f"{line}\n" for line in lines)


def _target(target: Target) -> str:
    to = "nowhere" if target.destination is None else f"line {target.destination.line}"
    hairpin = "" if target.hairpin_masquerade else ", no hairpin"
    written = "rest" if target.written_share is None else f"{target.written_share:.11f}"
    return (
        f"  -> {target.endpoint} {target.share:.6f} of which written {written}, "
        f"{target.chain or '-'} (line {target.source.line}, {to}){hairpin}\n"
    )

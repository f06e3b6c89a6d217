"""Chains, policies and damaged dumps; the index gives the same answers as reading from top to bottom."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from analyzer.bundle.reader import open_bundle
from analyzer.load import load
from analyzer.model.ruleset import Family
from analyzer.simulate.branch import Branch, Cause, Ending, Fate
from analyzer.simulate.forwarding import Forwarding
from analyzer.simulate.machine import Machine
from analyzer.simulate.netfilter import Netfilter
from analyzer.simulate.question import Budget
from tests.simulate.lab import Result, host, packet, rules, send


def _sent(text: str) -> list[Result]:
    return send(host(rules(text)), packet("198.51.100.7", "203.0.113.5", 80))


def _filter(*lines: str, policy: str = "ACCEPT") -> str:
    return "\n".join(["*filter", f":FORWARD {policy} [0:0]", *lines, "COMMIT", ""])


@pytest.mark.parametrize(
    ("lines", "policy", "verdict"),
    [
        (["-A FORWARD -j one", "-A FORWARD -j DROP", "-A one -j RETURN"], "ACCEPT", "dropped"),
        (["-A FORWARD -j one", "-A FORWARD -j DROP", "-A one -j ACCEPT"], "ACCEPT", "out"),
        (["-A FORWARD -j one", "-A one -g two", "-A one -j DROP", "-A two -p udp -j DROP"], "ACCEPT", "out"),
        (["-A FORWARD -g one", "-A FORWARD -j ACCEPT", "-A one -p udp -j ACCEPT"], "DROP", "dropped"),
        (["-A FORWARD -j RETURN", "-A FORWARD -j ACCEPT"], "DROP", "dropped"),
        (["-A FORWARD -j LOG", "-A FORWARD"], "DROP", "dropped"),
    ],
    ids=["return", "accept", "goto returns to the caller's caller", "goto from base", "return in base", "no effect"],
)  # fmt: skip
def test_chains_are_walked_as_the_kernel_does(lines: list[str], policy: str, verdict: str) -> None:
    chains = [":one - [0:0]", ":two - [0:0]"]
    (result,) = _sent(_filter(*chains, *lines, policy=policy))
    assert result.verdict == verdict


def test_a_policy_is_shown_with_the_line_that_declares_it() -> None:
    (result,) = _sent(_filter(policy="DROP"))
    step = result.steps[-1]
    assert (step.chain, step.text, step.effect) == ("FORWARD", ":FORWARD DROP", "policy DROP")
    assert step.source is not None
    assert (step.source.path, getattr(step.source, "line", 0)) == ("iptables-save.txt", 2)
    assert isinstance(result.way, Ending)
    assert result.way.cause is Cause.POLICY


def test_shares_are_those_the_kernel_keeps() -> None:
    third = "-A FORWARD -m statistic --mode random --probability 0.3333333333 -j DROP"
    dropped, passed = _sent(_filter(third))
    assert dropped.way.branch.chance == Fraction(715827883, 1 << 31)  # type: ignore[union-attr]
    assert passed.way.branch.chance == 1 - Fraction(715827883, 1 << 31)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("match", "chance"),
    [
        ("--mode random ! --probability 0.25000000000", 0.75),
        ("--mode nth --every 4 --packet 0", 0.25),
        ("--mode random --probability 0.00000000000", 0.0),
        ("--mode random --probability 1.00000000000", 1.0),
    ],
    ids=["negated", "nth", "never", "always"],
)
def test_statistic(match: str, chance: float) -> None:
    results = _sent(_filter(f"-A FORWARD -m statistic {match} -j DROP"))
    assert sum(r.chance for r in results if r.verdict == "dropped") == pytest.approx(chance)
    assert sum(r.chance for r in results) == pytest.approx(1)


def test_an_own_address_as_source_from_outside_is_refused() -> None:
    sent = packet("192.0.2.1", "203.0.113.5")
    machine = Machine(host(rules(_filter())))
    forwarding = Forwarding(machine, Netfilter(machine, Budget()))
    (way,) = forwarding.receive(Branch(sent), "eth1")
    assert isinstance(way, Ending)
    assert way.cause is Cause.MARTIAN


@pytest.mark.parametrize(
    ("source", "seen"),
    [("198.51.100.7", ["198.51.100.7"]), ("198.51.100.1", ["198.51.100.7", "198.51.100.8"])],
    ids=["inside the range it stays", "outside the range any is taken"],
)
def test_snat_to_a_range(source: str, seen: list[str]) -> None:
    text = "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j SNAT --to-source 198.51.100.7-198.51.100.8\nCOMMIT\n"
    results = send(host(rules(text)), packet(source, "203.0.113.5"))
    assert [r.source for r in results] == seen


# --- what cannot be known ---


def _reasons(results: list[Result]) -> list[str]:
    return [
        way.reason if isinstance(way := r.way, Ending) and way.fate is Fate.INCONCLUSIVE else ""
        for r in results
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_filter("-A FORWARD -j NFQUEUE --queue-num 1"), "target NFQUEUE"),
        (_filter("-A FORWARD -j KUBE-GONE"), "jump KUBE-GONE, a chain that is not there"),
        (_filter(":a - [0:0]", "-A FORWARD -j a", "-A a -j a"), "in a circle"),
        (_filter(":a - [0:0]", "-A FORWARD -j a", "-A a -g a"), "in a circle"),
        (
            "*raw\nCOMMIT\n*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p udp -j DROP\n",
            "chain FORWARD may have more rules",
        ),
        (
            "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j ACCEPT\n",
            "a table of PREROUTING may have been lost",
        ),
        (
            "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DNAT --to-destination fd00::1\nCOMMIT\n",
            "of another family",
        ),
    ],
    ids=[
        "target",
        "chain",
        "circle",
        "circle of gotos",
        "cut in the chain",
        "cut before the table",
        "family",
    ],
)
def test_what_is_not_known_ends_inconclusive(text: str, reason: str) -> None:
    found = _reasons(_sent(text))
    assert any(reason in r for r in found), found


def test_a_line_that_could_not_be_read_may_match_and_may_do_anything() -> None:
    text = _filter('-A FORWARD -d "10.0.0.1 -j DROP', "-A FORWARD -j ACCEPT")
    lost, passed = _sent(text)
    assert "could not be read" in _reasons([lost])[0]
    assert passed.verdict == "out"
    before = _filter("-A FORWARD -j ACCEPT", '-A FORWARD -d "10.0.0.1 -j DROP')
    assert [r.verdict for r in _sent(before)] == ["out"]


def test_unknown_matches_do_not_multiply_without_end() -> None:
    unsure = [
        f"-A FORWARD -m hashlimit --hashlimit-name h{i} -j MARK --set-mark {i}" for i in range(60)
    ]
    results = _sent("*mangle\n:FORWARD ACCEPT [0:0]\n" + "\n".join(unsure) + "\nCOMMIT\n")
    assert len(results) < 1000
    assert any("too much is unknown" in r for r in _reasons(results))


def test_a_rule_without_effect_is_no_question() -> None:
    (result,) = _sent(_filter("-A FORWARD -m limit --limit 3/min -j LOG"))
    assert result.verdict == "out"


# --- index ---


def test_the_index_gives_the_same_answers_as_reading_from_top_to_bottom() -> None:
    random = Random(7)
    lines = [_random_rule(random) for _ in range(300)]
    node = host(rules(_filter(*lines)))
    for _ in range(400):
        asked = packet(
            f"10.0.0.{random.randrange(4)}",
            f"10.1.0.{random.randrange(12)}",
            random.choice([53, 80, 443]),
            random.choice(["tcp", "udp", "sctp"]),
        )
        indexed, linear = (send(node, asked, indexed=way) for way in (True, False))
        assert [(r.verdict, r.steps) for r in indexed] == [(r.verdict, r.steps) for r in linear]


def _random_rule(random: Random) -> str:
    protocol = random.choice(["tcp", "udp", "sctp", "6"])
    parts = [
        random.choice(
            ["", f"-d 10.1.0.{random.randrange(12)}/32", "! -d 10.1.0.1/32", "-d 10.1.0.0/29"]
        ),
        random.choice(["", f"-p {protocol}", "! -p tcp"]),
    ]
    if parts[1].startswith("-p"):
        kind = "tcp" if protocol == "6" else protocol
        parts.append(
            random.choice(
                ["", f"-m {kind} --dport 80", f"-m {kind} ! --dport 53", f"-m {kind} --dport 50:90"]
            )
        )
    parts.append(random.choice(["", "-s 10.0.0.1/32"]))
    target = random.choice(
        ["MARK --set-xmark 0x1/0x1", "LOG", "DROP" if random.random() < 0.2 else "LOG"]
    )
    return " ".join(["-A FORWARD", *filter(None, parts), "-j", target])


def test_the_index_gives_the_same_answers_on_captured_nodes(shared: Path) -> None:
    compared = 0
    for folder in sorted((shared / "captures").iterdir()):
        truth = folder / "truth.jsonl"
        if not truth.exists() or "scale" in folder.name:
            continue
        with open_bundle([folder / "bundle.tgz"]) as bundle:
            cluster = load(bundle)
            targets = {
                (r["to_ip"], r["to_port"], r["protocol"].lower())
                for r in map(json.loads, truth.open())
            }
            for node in cluster.nodes.values():
                for address, port, protocol in sorted(targets)[::5]:
                    source = "2001:db8::1" if ":" in address else "198.51.100.7"
                    asked = packet(source, address, port, protocol)
                    if asked.family in node.host.rulesets:
                        indexed, linear = (
                            send(node.host, asked, indexed=way) for way in (True, False)
                        )
                        assert [r.steps for r in indexed] == [r.steps for r in linear]
                        compared += 1
    assert compared > 500


def test_families_are_apart() -> None:
    node = host(rules(_filter(policy="DROP"), Family.IPV6))
    (result,) = send(node, packet("2001:db8::1", "2001:db8:1::5"))
    assert result.verdict == "dropped"
    (missing,) = send(node, packet("198.51.100.7", "203.0.113.5"))
    assert "no iptables-save of node" in _reasons([missing])[0]

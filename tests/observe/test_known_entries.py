from __future__ import annotations

import pytest

from analyzer.model.ruleset import Ruleset
from analyzer.observe.iptables import observe_iptables
from analyzer.observe.known_entries import KnownEntries
from analyzer.observe.service_chain import ServiceChains
from tests.observe.rulesets import tables

MARKED = """
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SVC-A ! -s 10.244.0.0/16 -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-A -j KUBE-SEP-1
-A KUBE-SEP-1 -s 10.244.0.1/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.0.1:8080
"""


def assert_same(worked_out: KnownEntries, ruleset: Ruleset) -> None:
    assert observe_iptables(ruleset, {}, (), worked_out) == observe_iptables(ruleset, {})


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(MARKED, id="the same rules"),
        pytest.param("-A KUBE-AT-FIRST -j ACCEPT" + MARKED, id="the same rules on other lines"),
        pytest.param(
            MARKED.replace("0x4000/0x4000\n-A KUBE-P", "0x0/0x0\n-A KUBE-P"), id="no mark"
        ),
        pytest.param(MARKED.replace("80 -j KUBE-MARK-MASQ", "80 -j MARK"), id="another target"),
        pytest.param(MARKED.replace("-j KUBE-SEP-1", "-g KUBE-SEP-1"), id="goto for a jump"),
        pytest.param(MARKED.replace("! -s", "-s"), id="the negation"),
        pytest.param(MARKED.replace("-j KUBE-SEP-1", "-j KUBE-SEP-ABSENT"), id="no such chain"),
        pytest.param(MARKED.replace("10.244.0.1:8080", "10.244.0.1"), id="the port"),
    ],
)
def test_entries_of_a_node_are_those_of_its_own_rules(other: str) -> None:
    worked_out = KnownEntries()
    for nat in (MARKED, other, MARKED):
        assert_same(worked_out, tables(nat=nat))


def test_a_chain_that_is_not_declared_on_one_node_has_no_declaration_there() -> None:
    worked_out = KnownEntries()
    declared, undeclared = tables(nat=MARKED), tables(nat=MARKED)
    undeclared.tables["nat"].chains["KUBE-SVC-A"].line = 0
    for ruleset in (declared, undeclared, declared):
        assert_same(worked_out, ruleset)


def test_a_table_that_is_cut_off_may_mark_elsewhere() -> None:
    worked_out = KnownEntries()
    unmarked = MARKED.replace("0x4000/0x4000\n-A KUBE-P", "0x0/0x0\n-A KUBE-P")
    for complete in (True, False, True):
        ruleset = tables(nat=unmarked, complete=complete)
        ruleset.tables["nat"].chains["KUBE-MARK-MASQ"].line = 99
        assert_same(worked_out, ruleset)


def test_rules_that_all_addresses_lead_to_are_not_looked_at_for_each_of_them() -> None:
    """A ruleset made to be slow: the work of 600 addresses with 600 rules behind each is bounded."""
    lines = [
        f"-A KUBE-SERVICES -d 10.96.{n // 200}.{n % 200}/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-{n}"
        for n in range(600)
    ]
    lines += [f"-A KUBE-SVC-{n} -j KUBE-SVC-ALL" for n in range(600)]
    lines += [f"-A KUBE-SVC-ALL -j KUBE-SEP-{n}" for n in range(600)]
    ruleset = tables(nat="\n".join(lines))
    nat = ruleset.tables["nat"]
    chains = ServiceChains(ruleset, nat)
    assert chains.reach([nat.chains["KUBE-SERVICES"].rules[0]]) is not None
    assert None in [chains.reach([rule]) for rule in nat.chains["KUBE-SERVICES"].rules]
    worked_out = KnownEntries()
    for _ in range(2):
        assert_same(worked_out, ruleset)

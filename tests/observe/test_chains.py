from __future__ import annotations

from itertools import pairwise

import pytest

from analyzer.model.ruleset import Ruleset
from analyzer.observe.chain_owners import Program, maker_of
from analyzer.observe.chains import chain_graph
from tests.observe.rulesets import dump, tables

SERVICE = """
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A
"""
WHOLE = (
    SERVICE
    + """
-A KUBE-SVC-A -j KUBE-SEP-1
-A KUBE-SEP-1 -s 10.244.0.1/32 -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.0.1:80
"""
)


@pytest.mark.parametrize("name", ["1.2", "1.9-ranges-affinity", "1.18", "1.24", "1.25", "ipv6"])
def test_whole_rulesets_have_no_jump_into_nothing(name: str) -> None:
    graph = chain_graph(dump(name))

    assert (graph.dangling, graph.unused, graph.kube_proxy) == ((), (), True)


@pytest.mark.parametrize(
    ("nat", "empty"),
    [
        pytest.param(WHOLE, [], id="whole"),
        pytest.param(SERVICE, ["KUBE-SVC-A"], id="no rules"),
        pytest.param(
            SERVICE + "-A KUBE-SVC-A -j MARK --set-xmark 0x4000/0x4000",
            ["KUBE-SVC-A"],
            id="nothing but a mark",
        ),
        pytest.param(
            SERVICE + '-A KUBE-SVC-A -m comment --comment "other traffic"',
            ["KUBE-SVC-A"],
            id="no target",
        ),
        pytest.param(
            WHOLE.replace("-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.0.1:80", ""),
            ["KUBE-SEP-1"],
            id="an endpoint without translation",
        ),
        pytest.param(
            WHOLE + "-A KUBE-SVC-OLD -j KUBE-SEP-OLD", [], id="an empty chain that nobody uses"
        ),
        pytest.param(
            SERVICE + "-A KUBE-SVC-A -j KUBE-SEP-ABSENT", [], id="a jump to an undeclared chain"
        ),
        pytest.param("-A PREROUTING -j KUBE-SVC-IPSETS", [], id="ipvs of 1.9"),
    ],
)
def test_chains_in_use_that_send_nothing_on_are_empty(nat: str, empty: list[str]) -> None:
    assert [c.name for c in chain_graph(tables(nat=nat)).empty] == empty


def test_chains_behind_kube_services_are_in_use_even_where_its_hooks_are_lost() -> None:
    graph = chain_graph(tables(nat=SERVICE.replace("-j KUBE-SERVICES", "-j ACCEPT")))

    assert ([c.name for c in graph.empty], graph.unused) == (["KUBE-SVC-A"], ())


def test_an_empty_chain_is_shown_with_the_rules_that_lead_to_it() -> None:
    ruleset = tables(nat=SERVICE)

    (chain,) = chain_graph(ruleset).empty

    rule = ruleset.rules("nat", "KUBE-SERVICES")[0]
    assert [(j.chain, j.source) for j in chain.callers] == [("KUBE-SERVICES", ruleset.ref(rule))]
    assert chain.source.line == ruleset.tables["nat"].chains["KUBE-SVC-A"].line


def test_chains_of_services_that_are_gone_are_unused() -> None:
    graph = chain_graph(tables(nat=WHOLE + "-A KUBE-SVC-OLD -j KUBE-SEP-OLD"))

    assert [c.name for c in graph.unused] == ["KUBE-SVC-OLD", "KUBE-SEP-OLD"]


def test_canaries_and_hints_are_neither_empty_nor_unused() -> None:
    ruleset = tables(nat=WHOLE + "-A KUBE-PROXY-CANARY -j ACCEPT\n-A KUBE-IPTABLES-HINT -j ACCEPT")
    for name in ("KUBE-PROXY-CANARY", "KUBE-IPTABLES-HINT"):
        ruleset.tables["nat"].chains[name].rules.clear()

    graph = chain_graph(ruleset)

    assert (graph.empty, graph.unused, graph.dangling) == ((), (), ())


def _without(ruleset: Ruleset, *chains: str) -> Ruleset:
    for chain in chains:
        del ruleset.tables["nat"].chains[chain]
    return ruleset


def test_a_jump_to_a_chain_that_is_not_there_dangles() -> None:
    ruleset = _without(tables(nat=WHOLE), "KUBE-SEP-1")

    (jump,) = chain_graph(ruleset).dangling

    assert (jump.table, jump.chain, jump.target) == ("nat", "KUBE-SVC-A", "KUBE-SEP-1")
    assert jump.source == ruleset.ref(ruleset.rules("nat", "KUBE-SVC-A")[0])


def test_targets_of_extensions_do_not_dangle() -> None:
    targets = ["ACCEPT", "RETURN", "NFLOG", "CT", "TPROXY", "NFQUEUE", "SYNPROXY", "TARPIT"]
    rules = "\n".join(f"-A PREROUTING -j {t}" for t in targets)

    assert chain_graph(tables(nat=rules)).dangling == ()


def test_an_excerpt_without_declarations_has_no_dangling_jumps() -> None:
    excerpt = dump("direct-mark")
    (table,) = excerpt.tables.values()
    table.chains.pop("KUBE-SEP-57KPRZ3JQVENLNBR")

    assert chain_graph(excerpt).dangling == ()


def test_a_cut_off_dump_has_dangling_jumps_but_an_excerpt_of_one_has_not() -> None:
    cut = _without(tables(nat=WHOLE, complete=False), "KUBE-SEP-1")
    excerpt = _without(tables(nat=WHOLE, complete=False), "KUBE-SEP-1")
    excerpt.tables["nat"].chains["KUBE-SVC-A"].line = 0

    assert (len(chain_graph(cut).dangling), chain_graph(excerpt).dangling) == (1, ())


def test_rules_without_any_declaration_have_no_dangling_jumps() -> None:
    ruleset = _without(tables(nat=WHOLE), "KUBE-SEP-1")
    for chain in ruleset.tables["nat"].chains.values():
        chain.line = 0

    assert chain_graph(ruleset).dangling == ()


def test_a_way_of_very_many_chains_is_not_followed_to_its_end() -> None:
    way = [f"C{n}" for n in range(30)]
    nat = "-A PREROUTING -j C0\n" + "".join(f"-A {a} -j {b}\n" for a, b in pairwise(way))

    assert chain_graph(tables(nat=nat + "-A C29 -j KUBE-SERVICES")).hooks == ()


def test_hooks_are_found_with_their_place_and_conditions() -> None:
    nat = """
    -A PREROUTING -j ACCEPT
    -A PREROUTING -m comment --comment "x" -j KUBE-SERVICES
    -A OUTPUT -d 10.96.0.0/12 -m comment --comment "x" -j KUBE-SERVICES
    -A POSTROUTING -j MINE
    -A MINE -j KUBE-POSTROUTING
    -A MINE -j MINE
    """
    graph = chain_graph(_declared(nat, "MINE"))

    hooks = graph.hooks_to("nat", "KUBE-SERVICES")
    assert {h: (j.position, len(j.conditions)) for h, j in hooks.items()} == {
        "PREROUTING": (1, 0),
        "OUTPUT": (0, 1),
    }
    assert graph.hooks_to("nat", "KUBE-POSTROUTING")["POSTROUTING"].via == ("MINE",)
    assert graph.hooks_to("filter", "KUBE-SERVICES") == {}


def _declared(nat: str, chain: str) -> Ruleset:
    ruleset = tables(nat=nat)
    assert chain in ruleset.tables["nat"].chains
    return ruleset


@pytest.mark.parametrize(
    ("chain", "maker"),
    [
        ("KUBE-SVC-NPX46M4PTMTKRN6Y", Program.IPTABLES_PROXY),
        ("KUBE-EXTERNAL-SERVICES", Program.IPTABLES_PROXY),
        ("KUBE-LOAD-BALANCER", Program.IPVS_PROXY),
        ("KUBE-SVC-IPSETS", Program.IPVS_PROXY),
        ("KUBE-PORTALS-HOST", Program.USERSPACE_PROXY),
        ("KUBE-SERVICES", Program.ANY_PROXY),
        ("KUBE-MARK-DROP", Program.KUBELET),
        ("KUBE-HP-ABCDEFGHIJKLMNOP", Program.KUBELET),
        ("KUBE-POSTROUTING", Program.PROXY_OR_KUBELET),
        ("KUBE-ROUTER-FORWARD", None),
        ("KUBE-POD-FW-ABCDEFGHIJKLMNOP", None),
        ("KUBE-NWPLCY-ABCDEFGHIJKLMNOP", None),
        ("cali-FORWARD", None),
    ],
)
def test_a_chain_is_made_by_the_program_that_names_chains_so(
    chain: str, maker: Program | None
) -> None:
    assert maker_of(chain) is maker


def test_kubelets_chains_alone_are_no_kube_proxy() -> None:
    ruleset = tables(
        nat="-A POSTROUTING -j KUBE-POSTROUTING", filter_table="-A INPUT -j KUBE-FIREWALL"
    )
    graph = chain_graph(ruleset)

    assert (graph.kubelet_only, graph.kube_proxy) == (True, False)
    assert graph.trace(Program.IPVS_PROXY) is None


def test_what_other_modes_left_is_told() -> None:
    graph = chain_graph(tables(nat=WHOLE + "-A KUBE-LOAD-BALANCER -j ACCEPT"))
    ipvs = graph.trace(Program.IPVS_PROXY)

    assert ipvs is not None
    assert (ipvs.table, ipvs.chain) == ("nat", "KUBE-LOAD-BALANCER")

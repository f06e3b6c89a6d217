from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from analyzer.model.chain_names import service_suffix
from analyzer.model.forwarding import (
    Action,
    Clients,
    Endpoint,
    Entry,
    Frontend,
    FrontendKind,
    Masquerade,
    Protocol,
    ServiceKey,
    ServicePortName,
)
from analyzer.model.ruleset import Family, Ruleset
from analyzer.observe.iptables import observe_iptables
from analyzer.observe.known_entries import KnownEntries
from tests.observe.rulesets import dump, render, tables

VERSIONS = [
    "1.2",
    "1.4-local",
    "1.9-ranges-affinity",
    "1.14-no-comments",
    "1.18",
    "1.21-local",
    "1.22",
    "1.24",
    "1.25",
    "1.30-interface-prefix",
    "1.32-nfacct",
    "1.36-shared-external-ip",
    "ipv6",
    "direct-mark",
]
ORDERS = ServicePortName(ServiceKey("shop", "orders"), "http")
KNOWN = {service_suffix(ORDERS, Protocol.TCP): ORDERS}


@pytest.mark.parametrize("name", VERSIONS)
def test_rules_of_each_version_are_read_as_what_they_do(
    name: str, golden: Callable[[str, str], None]
) -> None:
    golden(f"{name}.txt", render(observe_iptables(dump(name), KNOWN)))


@pytest.mark.parametrize("name", VERSIONS)
def test_rules_of_one_of_several_nodes_are_read_as_those_of_a_single_one(name: str) -> None:
    lower = dump(name)
    for table in lower.tables.values():
        for chain in table.chains.values():
            for rule in chain.rules:
                rule.line += 7
    worked_out = KnownEntries()
    for ruleset in (dump(name), lower):
        assert observe_iptables(ruleset, KNOWN, (), worked_out) == observe_iptables(ruleset, KNOWN)


def test_a_chain_that_another_node_has_with_other_rules_is_read_for_itself() -> None:
    worked_out = KnownEntries()
    for rules in (
        ENDPOINTS,
        ENDPOINTS.replace("-s 10.244.0.1/32", "! -s 10.244.0.1/32"),
        ENDPOINTS.replace("10.244.0.1:8080", "10.244.0.1:8081"),
        ENDPOINTS.replace("KUBE-MARK-MASQ", "RETURN"),
    ):
        found = tables(nat=SERVICE + HALVES + rules)
        assert observe_iptables(found, {}, (), worked_out) == observe_iptables(found, {})


SERVICE = """
-A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m comment --comment "ns/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
"""
ENDPOINTS = """
-A KUBE-SEP-1 -s 10.244.0.1/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.0.1:8080
-A KUBE-SEP-2 -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:8080
"""
HALVES = """
-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-1
-A KUBE-SVC-A -j KUBE-SEP-2
"""
ONE = Endpoint("10.244.0.1", 8080)
TWO = Endpoint("10.244.0.2", 8080)


def _shares(nat: str) -> list[tuple[str, Endpoint | None, float]]:
    (entry,) = _entries(tables(nat=SERVICE + nat))
    return [(t.chain, t.endpoint, pytest.approx(t.share)) for t in entry.targets]


def _entries(ruleset: Ruleset) -> tuple[Entry, ...]:
    return observe_iptables(ruleset, {}).entries


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(
            HALVES + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 0.5), ("KUBE-SEP-2", TWO, 0.5)],
            id="halves",
        ),
        pytest.param(
            HALVES.replace("0.5", "0.2") + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 0.2), ("KUBE-SEP-2", TWO, 0.8)],
            id="a wrong probability",
        ),
        pytest.param(
            "-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-1" + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 0.5)],
            id="the last rule is missing: half of the connections are lost",
        ),
        pytest.param(
            HALVES + "-A KUBE-SEP-2 -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:8080",
            [("KUBE-SEP-1", None, 0.0), ("KUBE-SEP-2", TWO, 1.0)],
            id="an emptied chain leaves its share to the next rule",
        ),
        pytest.param(
            HALVES + "-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.0.1:8080",
            [("KUBE-SEP-1", ONE, 0.5), ("KUBE-SEP-2", None, 0.0)],
            id="an emptied last chain loses its share",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j KUBE-SEP-ABSENT\n-A KUBE-SVC-A -j KUBE-SEP-2" + ENDPOINTS,
            [("KUBE-SEP-ABSENT", None, 0.0), ("KUBE-SEP-2", TWO, 1.0)],
            id="an absent chain",
        ),
        pytest.param(
            "-A KUBE-SVC-A -m statistic --mode nth --every 4 --packet 0 -j KUBE-SEP-1\n"
            "-A KUBE-SVC-A -m statistic --mode random ! --probability 0.75 -j KUBE-SEP-2"
            + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 0.25), ("KUBE-SEP-2", TWO, 0.1875)],
            id="other forms of chance",
        ),
        pytest.param(
            "-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-1\n"
            "-A KUBE-SVC-A -m statistic --mode random --probability 0.5 -j KUBE-SEP-2\n"
            "-A KUBE-SVC-A -j KUBE-SEP-1" + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 0.75), ("KUBE-SEP-2", TWO, 0.25)],
            id="an endpoint that is chosen twice is one target",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j RETURN" + HALVES + ENDPOINTS,
            [],
            id="a return in front",
        ),
        pytest.param(
            "-A KUBE-SVC-A -p tcp -m tcp -j DNAT --to-destination 10.9.9.9:1",
            [("", Endpoint("10.9.9.9", 1), 1.0)],
            id="a translation without a chain of its own",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j KUBE-SEP-1\n-A KUBE-SEP-1 -p udp -m udp -j DNAT --to-destination 10.244.0.1:8080",
            [("KUBE-SEP-1", None, 0.0)],
            id="a translation of another protocol",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j KUBE-SEP-1\n-A KUBE-SEP-1 -p 6 -m tcp -j DNAT --to-destination 10.244.0.1",
            [("KUBE-SEP-1", Endpoint("10.244.0.1", 80), 1.0)],
            id="a translation that keeps the port",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j KUBE-SEP-1\n"
            "-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.244.0.1-10.244.0.9:80",
            [("KUBE-SEP-1", None, 1.0)],
            id="a range is no endpoint, but takes the connection",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j KUBE-SVC-A\n-A KUBE-SVC-A -j KUBE-SEP-2" + ENDPOINTS,
            [("KUBE-SEP-2", TWO, 1.0)],
            id="a chain that leads to itself",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j KUBE-SVC-B\n-A KUBE-SVC-B -j KUBE-SVC-A\n-A KUBE-SVC-B -g KUBE-SVC-C\n"
            "-A KUBE-SVC-B -j KUBE-SEP-1\n-A KUBE-SVC-A -j KUBE-SEP-2" + ENDPOINTS,
            [("KUBE-SEP-2", TWO, 1.0)],
            id="a circle, and a goto that returns to the caller",
        ),
        pytest.param(
            "-A KUBE-SVC-A -g KUBE-SEP-1\n-A KUBE-SVC-A -j KUBE-SEP-2\n"
            "-A KUBE-SEP-1 -s 10.244.0.1/32 -j KUBE-MARK-MASQ\n"
            "-A KUBE-SEP-2 -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:8080",
            [("KUBE-SEP-1", None, 0.0)],
            id="a goto into an emptied chain does not come back",
        ),
        pytest.param(
            "-A KUBE-SVC-A -m statistic --mode random --probability 0.25 -j KUBE-SVC-B\n"
            "-A KUBE-SVC-A -j KUBE-SVC-C\n-A KUBE-SVC-B -j KUBE-SEP-1\n-A KUBE-SVC-C -j KUBE-SEP-2"
            + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 0.25), ("KUBE-SEP-2", TWO, 0.75)],
            id="a share of a share",
        ),
        pytest.param(
            "-A KUBE-SVC-A -m conntrack --ctstate INVALID,UNTRACKED -j RETURN\n"
            "-A KUBE-SVC-A -m conntrack --ctstate NEW -j KUBE-SEP-1" + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 1.0)],
            id="connections are new",
        ),
        pytest.param(
            "-A KUBE-SVC-A -m nfacct --nfacct-name  seen -j KUBE-SEP-1" + ENDPOINTS,
            [("KUBE-SEP-1", ONE, 1.0)],
            id="counting is no condition",
        ),
        pytest.param(
            "-A KUBE-SVC-A -j KUBE-SEP-1\n-A KUBE-SEP-1 -j ACCEPT" + ENDPOINTS,
            [("KUBE-SEP-1", None, 0.0)],
            id="a verdict before the translation",
        ),
        pytest.param(
            "-A KUBE-SVC-A -m limit --limit 1/sec -j KUBE-SEP-1\n-A KUBE-SVC-A -j KUBE-SEP-2"
            + ENDPOINTS,
            [("KUBE-SEP-2", TWO, 1.0)],
            id="a match that is not modelled is not counted on",
        ),
    ],
)
def test_shares_are_the_kernels(
    rules: str, expected: list[tuple[str, Endpoint | None, float]]
) -> None:
    assert _shares(rules) == expected


def test_a_target_says_where_it_is_written_and_how_it_is_reached() -> None:
    (entry,) = _entries(tables(nat=SERVICE + HALVES + ENDPOINTS))

    first, second = entry.targets
    assert (first.written_share, second.written_share) == (0.5, None)
    assert (first.hairpin_masquerade, second.hairpin_masquerade) == (True, False)
    assert entry.chain == "KUBE-SVC-A"


@pytest.mark.parametrize("source", ["-s 10.244.0.9/32", "! -s 10.244.0.1/32", "-s 10.244.0.0/24"])
def test_a_hairpin_rule_for_other_addresses_is_none(source: str) -> None:
    rules = ENDPOINTS.replace("-s 10.244.0.1/32", source)

    (entry,) = _entries(tables(nat=SERVICE + HALVES + rules))

    assert not entry.targets[0].hairpin_masquerade


@pytest.mark.parametrize(
    ("marking", "expected"),
    [
        pytest.param("", Masquerade.NEVER, id="no mark"),
        pytest.param("-j KUBE-MARK-MASQ", Masquerade.ALWAYS, id="all"),
        pytest.param("! -s 10.244.0.0/16 -j KUBE-MARK-MASQ", Masquerade.OFF_CLUSTER, id="CIDR"),
        pytest.param("! -i cbr0 -j KUBE-MARK-MASQ", Masquerade.OFF_CLUSTER, id="bridge"),
        pytest.param("! -i cali+ -j KUBE-MARK-MASQ", Masquerade.OFF_CLUSTER, id="prefix"),
        pytest.param("-j MARK --set-xmark 0x4000/0x4000", Masquerade.ALWAYS, id="direct mark"),
        pytest.param("-j MARK --or-mark 0x4000", Masquerade.ALWAYS, id="restore's spelling"),
        pytest.param("-j MARK --set-xmark 0x8000/0x8000", Masquerade.NEVER, id="another mark"),
        pytest.param("-s 10.244.0.0/16 -j KUBE-MARK-MASQ", None, id="pods only: no such option"),
        pytest.param("-m limit --limit 1/s -j KUBE-MARK-MASQ", None, id="not modelled"),
        pytest.param(
            "-m statistic --mode random --probability 0.5 -j KUBE-MARK-MASQ", None, id="chance"
        ),
    ],
)
@pytest.mark.parametrize(
    "chain", ["KUBE-SVC-A", "KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80"]
)
def test_masquerading_depends_on_the_mark_and_its_clients(
    chain: str, marking: str, expected: Masquerade | None
) -> None:
    first = f"-A {chain} {marking}" if marking else ""

    (entry,) = _entries(tables(nat=first + SERVICE + HALVES + ENDPOINTS))

    assert entry.masquerade is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.96.0.80/32", Masquerade.ALWAYS),
        ("10.96.0.0/12", Masquerade.ALWAYS),
        ("10.1.1.1/32", Masquerade.NEVER),
        ("10.0.0.0/12", Masquerade.NEVER),
        ("fd00::/8", Masquerade.NEVER),
    ],
)
def test_a_mark_holds_for_the_addresses_that_it_names(address: str, expected: Masquerade) -> None:
    nat = f"-A KUBE-SVC-A -d {address} -j KUBE-MARK-MASQ" + SERVICE + HALVES + ENDPOINTS

    assert [e.masquerade for e in _entries(tables(nat=nat))] == [expected]


def test_a_mark_of_another_protocol_masquerades_nothing() -> None:
    nat = "-A KUBE-SVC-A -p udp -j KUBE-MARK-MASQ" + SERVICE + HALVES + ENDPOINTS

    assert [e.masquerade for e in _entries(tables(nat=nat))] == [Masquerade.NEVER]


def test_a_mark_behind_a_first_endpoint_masquerades_some() -> None:
    nat = SERVICE + HALVES.replace(
        "\n-A KUBE-SVC-A -j", "\n-A KUBE-SVC-A -j KUBE-MARK-MASQ\n-A KUBE-SVC-A -j"
    )

    (entry,) = _entries(tables(nat=nat + ENDPOINTS))

    assert (entry.masquerade, len(entry.targets)) == (None, 2)


def test_the_marking_rule_is_the_source_of_masquerading() -> None:
    nat = "-A KUBE-SVC-A ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ" + SERVICE + HALVES + ENDPOINTS
    ruleset = tables(nat=nat)

    (entry,) = _entries(ruleset)

    assert entry.masquerade_source == ruleset.ref(ruleset.rules("nat", "KUBE-SVC-A")[0])


def test_a_mark_chain_that_marks_nothing_masquerades_nothing() -> None:
    nat = "-A KUBE-SVC-A -j KUBE-MARK-MASQ" + SERVICE + HALVES + ENDPOINTS
    ruleset = tables(nat=nat)
    emptied = tables(nat=nat + "\n-A KUBE-X -j ACCEPT")
    emptied.tables["nat"].chains["KUBE-MARK-MASQ"] = emptied.tables["nat"].chains.pop("KUBE-X")
    emptied.tables["nat"].chains["KUBE-MARK-MASQ"].rules.clear()

    assert _entries(ruleset)[0].masquerade is Masquerade.ALWAYS
    assert _entries(emptied)[0].masquerade is Masquerade.NEVER


LOCAL = """
-A KUBE-SERVICES -d 203.0.113.9/32 -p tcp -m comment --comment "ns/web:http loadbalancer IP" \
  -m tcp --dport 80 -j KUBE-EXT-A
-A KUBE-EXT-A -s 10.244.0.0/16 -j KUBE-SVC-A
-A KUBE-EXT-A -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
-A KUBE-EXT-A -m addrtype --src-type LOCAL -j KUBE-SVC-A
-A KUBE-EXT-A -j KUBE-SVL-A
"""


def _by_clients(
    nat: str, filter_table: str = ""
) -> dict[Clients, tuple[Action, frozenset[Endpoint]]]:
    found = _entries(tables(nat=nat, filter_table=filter_table))
    return {e.clients: (e.action, e.endpoints) for e in found}


def test_policy_local_has_an_entry_for_each_class_of_clients() -> None:
    nat = LOCAL + HALVES + ENDPOINTS + "-A KUBE-SVL-A -j KUBE-SEP-1"

    assert _by_clients(nat) == {
        Clients.INTERNAL: (Action.FORWARD, frozenset({ONE, TWO})),
        Clients.EXTERNAL: (Action.FORWARD, frozenset({ONE})),
    }


def test_policy_local_without_local_endpoint_drops_external_clients() -> None:
    nat = LOCAL.replace("-A KUBE-EXT-A -j KUBE-SVL-A\n", "") + HALVES + ENDPOINTS
    drop = """
    -A KUBE-EXTERNAL-SERVICES -d 203.0.113.9/32 -p tcp -m tcp --dport 80 -j DROP
    """

    assert _by_clients(nat, drop) == {
        Clients.INTERNAL: (Action.FORWARD, frozenset({ONE, TWO})),
        Clients.EXTERNAL: (Action.DROP, frozenset()),
    }
    assert _by_clients(nat)[Clients.EXTERNAL] == (Action.FORWARD, frozenset())


def test_without_a_pod_network_only_the_node_has_a_way_around_policy_local() -> None:
    nat = LOCAL.replace("-A KUBE-EXT-A -s 10.244.0.0/16 -j KUBE-SVC-A\n", "")

    found = _by_clients(nat + HALVES + ENDPOINTS + "-A KUBE-SVL-A -j KUBE-SEP-1")

    assert found[Clients.INTERNAL] == (Action.FORWARD, frozenset({ONE, TWO}))


REJECT = """
-A {chain} -d 203.0.113.9/32 -p tcp -m comment --comment "ns/web:http has no endpoints" -m tcp --dport 80 -j REJECT
"""


@pytest.mark.parametrize(
    ("chain", "declared", "expected"),
    [
        ("KUBE-SERVICES", (), [FrontendKind.CLUSTER_IP]),
        ("KUBE-SERVICES", (FrontendKind.EXTERNAL_IP,), [FrontendKind.EXTERNAL_IP]),
        ("KUBE-EXTERNAL-SERVICES", (), [FrontendKind.EXTERNAL_IP]),
        (
            "KUBE-EXTERNAL-SERVICES",
            (FrontendKind.LOAD_BALANCER_IP,),
            [FrontendKind.LOAD_BALANCER_IP],
        ),
        (
            "KUBE-EXTERNAL-SERVICES",
            (FrontendKind.EXTERNAL_IP, FrontendKind.LOAD_BALANCER_IP),
            [FrontendKind.EXTERNAL_IP, FrontendKind.LOAD_BALANCER_IP],
        ),
        ("KUBE-EXTERNAL-SERVICES", (FrontendKind.CLUSTER_IP,), [FrontendKind.EXTERNAL_IP]),
    ],
)
def test_the_sort_of_a_refused_address_is_what_is_declared(
    chain: str, declared: tuple[FrontendKind, ...], expected: list[FrontendKind]
) -> None:
    frontends = [Frontend(k, "203.0.113.9", Protocol.TCP, 80) for k in declared]
    ruleset = tables(filter_table=REJECT.format(chain=chain) * 2)

    table = observe_iptables(ruleset, {}, frontends)

    assert [e.frontend.kind for e in table.entries] == expected
    assert {e.action for e in table.entries} == {Action.REJECT}


def test_a_refusal_stands_behind_rules_that_translate() -> None:
    filter_table = REJECT.format(chain="KUBE-SERVICES").replace("203.0.113.9", "10.96.0.80")

    found = _entries(tables(nat=SERVICE + HALVES + ENDPOINTS, filter_table=filter_table))

    assert [e.action for e in found] == [Action.FORWARD, Action.REJECT]


def test_a_refusal_replaces_rules_that_lead_nowhere() -> None:
    filter_table = REJECT.format(chain="KUBE-SERVICES").replace("203.0.113.9", "10.96.0.80")

    found = _entries(tables(nat=SERVICE, filter_table=filter_table))

    assert [e.action for e in found] == [Action.REJECT]


NODE_PORT = """
-A KUBE-NODEPORTS -p tcp -m comment --comment "ns/web:http" -m tcp --dport 30080 -j KUBE-SVC-A
"""
TO_NODE_PORTS = "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n"


@pytest.mark.parametrize(
    ("nat", "complete", "served"),
    [
        pytest.param(TO_NODE_PORTS + NODE_PORT, True, True, id="reached"),
        pytest.param(NODE_PORT, True, False, id="not reached"),
        pytest.param(NODE_PORT, False, True, id="cut off: taken to be reached"),
    ],
)
def test_node_ports_are_served_where_their_chain_is_reached(
    nat: str, complete: bool, served: bool
) -> None:
    found = _entries(tables(nat=nat + HALVES + ENDPOINTS, complete=complete))

    assert [e.frontend.kind for e in found] == ([FrontendKind.NODE_PORT] if served else [])


def test_a_service_chain_that_is_absent_is_named() -> None:
    (entry,) = _entries(tables(nat=SERVICE.replace("KUBE-SVC-A", "KUBE-SVC-ABSENT")))

    assert (entry.chain, entry.chain_source, entry.targets) == ("KUBE-SVC-ABSENT", None, ())


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("ns/web:http cluster IP", "ns/web:http"),
        ("ns/web: cluster IP", "ns/web"),
        ("ns/web cluster IP", "ns/web"),
        ("NS/Web:http cluster IP", "None"),
        ("../../etc/passwd cluster IP", "None"),
        ("by hand", "None"),
        ("ns/web<b>:http cluster IP", "None"),
    ],
)
def test_an_owner_is_a_name_that_kubernetes_accepts(comment: str, expected: str) -> None:
    ruleset = tables(nat=SERVICE.replace("ns/web:http cluster IP", comment) + HALVES + ENDPOINTS)

    assert [str(e.service_port) for e in _entries(ruleset)] == [expected]


def test_a_rule_of_kube_services_for_a_port_of_any_address_is_no_cluster_ip() -> None:
    nat = "-A KUBE-SERVICES -p tcp -m tcp --dport 80 -j KUBE-SVC-A" + HALVES + ENDPOINTS

    assert _entries(tables(nat=nat)) == ()


def test_the_first_rule_of_an_old_external_ip_is_for_clients_outside() -> None:
    rule = SERVICE.replace("cluster IP", "external IP").replace(
        "-j", "-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j"
    )

    found = _by_clients(rule + HALVES + ENDPOINTS)

    assert found[Clients.EXTERNAL] == (Action.FORWARD, frozenset({ONE, TWO}))


def test_a_chain_that_leads_to_itself_does_not_cost_the_other_services() -> None:
    circle = SERVICE.replace(".80/32", ".81/32").replace("KUBE-SVC-A", "KUBE-SVC-Z")
    nat = circle + "-A KUBE-SVC-Z -j KUBE-SVC-Z\n" * 3 + SERVICE + HALVES + ENDPOINTS

    assert [len(e.targets) for e in _entries(tables(nat=nat))] == [0, 2]


def test_a_jump_in_a_ruleset_made_to_be_slow_is_followed_so_far_only() -> None:
    chains = [f"KUBE-SVC-{n}" for n in range(40)]
    doubled = "".join(
        f"-A {a} -s 10.0.0.0/8 -j {b}\n-A {a} -j {b}\n" * 3 for a, b in pairwise(chains)
    )
    nat = SERVICE.replace("KUBE-SVC-A", chains[0]) + doubled

    assert len(_entries(tables(nat=nat))) == 1


def test_a_ruleset_without_tables_is_an_empty_table() -> None:
    table = observe_iptables(Ruleset("x", Family.IPV4, dump("1.2").backend, ""), {})

    assert table.entries == ()

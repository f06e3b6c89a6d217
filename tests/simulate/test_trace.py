"""Connections through a cluster of three nodes: where they end, and what decided."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from analyzer.model.inputs import Input
from analyzer.model.node import InterfaceAddress, Route, RoutePolicyRule
from analyzer.model.source import SourceRef
from analyzer.simulate.address import number
from analyzer.simulate.outcome import Cause, Verdict
from analyzer.simulate.trace import Simulator
from tests.simulate.cluster import PODS, VIP, Node, filtered, network, only, service, trace

_HERE = SourceRef("ip-route.json", 1)
_TO_BRIDGE = Route("unicast", "10.0.1.12/32", "", "cbr0", "main", 0, _HERE)
_BLACKHOLE = Route("blackhole", "10.0.2.0/24", "", "", "main", 0, _HERE)
_ESTABLISHED = "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
_INVALID = "-A FORWARD -m conntrack --ctstate INVALID -j DROP"


def _both(rules: str) -> dict[str, Node]:
    return {"node-a": Node(rules), "node-b": Node(rules)}


def test_every_endpoint_is_reached_with_its_exact_share() -> None:
    found = trace(_both(service("a1", "b1", "b2")), "a2")
    third = Fraction(715827883, 1 << 31)
    shares = {o.backend.pod: o.probability for o in found.outcomes if o.backend}
    assert shares == {
        "default/a1": third,
        "default/b1": (1 - third) / 2,
        "default/b2": (1 - third) / 2,
    }
    assert {o.verdict for o in found.outcomes} == {Verdict.DELIVERED}
    assert found.conclusive


@pytest.mark.parametrize(
    ("origin", "backend", "source"),
    [
        ("a2", "b1", "10.0.1.12"),
        ("a2", "a1", "10.0.1.12"),
        ("node-a", "b1", "192.0.2.1"),
        ("node-a", "a1", "192.0.2.1"),
        ("198.51.100.9@node-a", "a1", "198.51.100.9"),
        ("a1", "a1", "10.0.1.1"),
    ],
    ids=["pod to other node", "pod on the bridge", "node out", "node in", "outside", "hairpin"],
)
def test_the_backend_sees(origin: str, backend: str, source: str) -> None:
    outcome = only(trace(_both(service(backend)), origin))
    assert (outcome.verdict, outcome.source) == (Verdict.DELIVERED, source)


def test_an_outside_client_is_not_answered_by_another_node_without_masquerading() -> None:
    outcome = only(trace(_both(service("b1")), "198.51.100.9@node-a"))
    assert (outcome.verdict, outcome.cause) == (Verdict.UNANSWERED, Cause.OTHER_WAY)
    masqueraded = service("b1", masquerade="! -s 10.0.0.0/16")
    answered = only(trace(_both(masqueraded), "198.51.100.9@node-a"))
    assert (answered.verdict, answered.source) == (Verdict.DELIVERED, "192.0.2.1")


def test_the_path_names_each_rule_with_file_and_line_and_nothing_that_had_no_effect() -> None:
    rules = service("b1") + filtered("-A FORWARD -j LOG", "-A FORWARD -p udp -j DROP")
    outcome = only(trace({"node-a": Node(rules), "node-b": Node("")}, "a2"))
    steps = [(s.host, s.chain, s.effect) for s in outcome.path if s.leg.value == "request"]
    assert steps == [
        ("node-a", "PREROUTING", "jump KUBE-SERVICES"),
        ("node-a", "KUBE-SERVICES", "jump KUBE-SVC-X"),
        ("node-a", "KUBE-SVC-X", "jump KUBE-SEP-b1"),
        ("node-a", "KUBE-SEP-b1", "DNAT: to 10.0.2.11:8080"),
        ("node-a", "", "forward"),
        ("node-b", "", "forward"),
    ]
    dnat = outcome.translations[0]
    assert dnat.text == "-A KUBE-SEP-b1 -p tcp -m tcp -j DNAT --to-destination 10.0.2.11:8080"
    line = rules.splitlines().index(dnat.text) + 1
    assert dnat.source == SourceRef("nodes/node-a/iptables-save.txt", line)


@pytest.mark.parametrize(
    ("nodes", "origin", "verdict", "cause", "decider"),
    [
        (
            {"node-a": Node(service("b1") + filtered(FORWARD="DROP"))},
            "a2", Verdict.DROPPED, Cause.POLICY, ":FORWARD DROP",
        ),
        (
            {"node-a": Node(service("b1") + filtered("-A FORWARD -d 10.0.2.0/24 -j REJECT"))},
            "a2", Verdict.REJECTED, Cause.RULE, "-A FORWARD -d 10.0.2.0/24 -j REJECT",
        ),
        (
            {"node-a": Node(service("b1")), "node-b": Node(filtered("-A FORWARD -i eth0 -j DROP"))},
            "a2", Verdict.DROPPED, Cause.RULE, "-A FORWARD -i eth0 -j DROP",
        ),
        (
            {"node-a": Node(service("b1")), "node-b": Node(filtered("-A FORWARD -o eth0 -j DROP"))},
            "a2", Verdict.UNANSWERED, Cause.RULE, "-A FORWARD -o eth0 -j DROP",
        ),
        (
            {"node-a": Node(service("b1"), {"net.ipv4.ip_forward": "0"})},
            "a2", Verdict.DROPPED, Cause.FORWARDING, "net.ipv4.ip_forward = 0",
        ),
        (
            {"node-a": Node(service("a1"), hairpin=False)},
            "a1", Verdict.DROPPED, Cause.HAIRPIN, "hairpin mode of cbr0",
        ),
        (
            {"node-a": Node(service("a1").replace("-j MASQUERADE", "-j ACCEPT"))},
            "a1", Verdict.DROPPED, Cause.MARTIAN, "-A KUBE-POSTROUTING -j ACCEPT",
        ),
        (
            {"node-a": Node(service("a1"), {"net.bridge.bridge-nf-call-iptables": "0"})},
            "a2", Verdict.UNANSWERED, Cause.BRIDGE_BYPASS, "bridge cbr0",
        ),
        (
            {"node-a": Node("*raw\n-A PREROUTING -d 10.96.0.1/32 -j DROP\nCOMMIT\n" + service("b1"))},
            "a2", Verdict.DROPPED, Cause.RULE, "-A PREROUTING -d 10.96.0.1/32 -j DROP",
        ),
        (
            {"node-a": Node(service("b1"), without_routes=("10.0.2.0/24",))},
            "a2", Verdict.UNROUTABLE, Cause.NO_ROUTE, "0.0.0.0/0 via 192.0.2.254 dev eth0",
        ),
        (
            {"node-a": Node(service("b1"), routes=(_BLACKHOLE,))},
            "a2", Verdict.UNROUTABLE, Cause.NO_ROUTE, "blackhole 10.0.2.0/24",
        ),
        (
            {
                "node-a": Node(service("b1")),
                "node-b": Node("", {"net.ipv4.conf.all.rp_filter": "1"}, routes=(_TO_BRIDGE,)),
            },
            "a2", Verdict.DROPPED, Cause.REVERSE_PATH, "rp_filter = 1",
        ),
    ],
    ids=[
        "forward policy", "reject", "dropped on the second node", "answer dropped", "no forwarding", "hairpin off",
        "hairpin not masqueraded", "bridge without iptables", "raw drop", "no pod route", "blackhole", "rp_filter",
    ],
)  # fmt: skip
def test_a_loss_names_what_decided(
    nodes: dict[str, Node], origin: str, verdict: Verdict, cause: Cause, decider: str
) -> None:
    found = trace(nodes, origin)
    outcome = only(found)
    assert (outcome.verdict, outcome.cause) == (verdict, cause)
    assert outcome.decided_by is not None
    assert outcome.decided_by.text == decider
    assert found.conclusive


@pytest.mark.parametrize("backend", ["a1", "b1"])
def test_nobody_takes_a_packet_from_a_loopback_address_of_elsewhere(backend: str) -> None:
    rules = service(backend).replace(f"{VIP}/32", "127.0.0.1/32")
    outcome = only(trace(_both(rules), "node-a", "127.0.0.1"))
    assert (outcome.verdict, outcome.cause) == (Verdict.DROPPED, Cause.MARTIAN)
    masqueraded = service(backend, masquerade="! -s 10.0.0.0/16")
    answered = trace(_both(masqueraded.replace(f"{VIP}/32", "127.0.0.1/32")), "node-a", "127.0.0.1")
    assert only(answered).verdict is Verdict.DELIVERED


def test_a_drop_of_the_cluster_ip_after_dnat_has_no_effect() -> None:
    rules = service("b1") + filtered(
        f"-A FORWARD -d {VIP}/32 -j DROP", f"-A OUTPUT -d {VIP}/32 -j DROP"
    )
    assert only(trace(_both(rules), "a2")).verdict is Verdict.DELIVERED
    assert only(trace(_both(rules), "node-a")).verdict is Verdict.DELIVERED


def test_data_is_lost_on_a_node_that_sees_only_one_direction() -> None:
    """node-a sends by node-c, node-b answers node-a directly: the client connects, and its data is INVALID."""
    detour = (Route("unicast", "10.0.2.0/24", "192.0.2.3", "eth0", "main", 0, _HERE),)
    nodes = {"node-a": Node(service("b1"), routes=detour), "node-c": Node("")}
    assert only(trace(nodes, "a2")).verdict is Verdict.DELIVERED
    nodes["node-c"].rules = filtered(_INVALID, _ESTABLISHED)
    outcome = only(trace(nodes, "a2"))
    assert outcome.verdict is Verdict.UNANSWERED
    assert outcome.decided_by is not None
    assert outcome.decided_by.text == _INVALID
    assert outcome.decided_by.host == "node-c"


def test_an_answer_is_invalid_on_a_node_that_did_not_see_the_request() -> None:
    detour = (Route("unicast", "10.0.1.0/24", "192.0.2.3", "eth0", "main", 0, _HERE),)
    nodes = {"node-a": Node(service("b1")), "node-b": Node("", routes=detour), "node-c": Node("")}
    assert only(trace(nodes, "a2")).verdict is Verdict.DELIVERED
    nodes["node-c"].rules = filtered(_INVALID)
    outcome = only(trace(nodes, "a2"))
    assert (outcome.verdict, outcome.cause) == (Verdict.UNANSWERED, Cause.RULE)


def test_an_address_that_several_nodes_have_leads_to_none_of_them() -> None:
    shared = InterfaceAddress("br-1", "172.30.0.1", 16, _HERE)
    found = network()
    hosts = {n: replace(h, addresses=(*h.addresses, shared)) for n, h in found.hosts.items()}
    atlas = Simulator(replace(found, hosts=hosts)).atlas
    assert number("172.30.0.1") not in atlas.owner_of
    assert atlas.owner_of[number("192.0.2.2") or 0] == "node-b"


def test_a_node_port_without_rules_is_refused_where_nothing_listens() -> None:
    nodes = {"node-a": Node("", ports=(10250,))}
    refused = only(trace(nodes, "198.51.100.9@node-a", "192.0.2.1", 30080))
    assert (refused.verdict, refused.cause) == (Verdict.REJECTED, Cause.NO_LISTENER)
    taken = only(trace(nodes, "198.51.100.9@node-a", "192.0.2.1", 10250))
    assert taken.verdict is Verdict.DELIVERED
    held = only(trace({"node-a": Node("", ports=(30080,))}, "b1", "192.0.2.1", 30080))
    assert held.verdict is Verdict.UNANSWERED


def test_a_pod_without_running_container_refuses() -> None:
    outcome = only(trace(_both(service("b1")), "a2", b1=False))
    assert (outcome.verdict, outcome.cause) == (Verdict.REJECTED, Cause.NO_LISTENER)


def test_an_address_that_no_pod_has_is_unroutable() -> None:
    outcome = only(trace(None, "a2", "10.0.2.77", 80))
    assert (outcome.verdict, outcome.cause) == (Verdict.UNROUTABLE, Cause.NO_SUCH_ADDRESS)


def test_a_cluster_ip_without_rules_leaves_by_the_default_route() -> None:
    assert only(trace(None, "a2")).verdict is Verdict.EXTERNAL
    stranded = {"node-a": Node("", without_routes=("0.0.0.0/0",))}
    assert only(trace(stranded, "a2")).verdict is Verdict.UNROUTABLE
    assert only(trace(stranded, "node-a")).verdict is Verdict.UNROUTABLE


def test_ip_rule_chooses_the_table() -> None:
    other = Route("unreachable", "10.0.2.0/24", "", "", "100", 0, _HERE)
    by_source = RoutePolicyRule(100, "from 10.0.1.12", "100", _HERE)
    usual = tuple(
        RoutePolicyRule(p, "from all", t, _HERE) for p, t in ((0, "local"), (32766, "main"))
    )
    nodes = {"node-a": Node("", routes=(other,), route_rules=(*usual, by_source))}
    assert only(trace(nodes, "a2", PODS["b1"], 80)).verdict is Verdict.UNROUTABLE
    assert only(trace(nodes, "a1", PODS["b1"], 80)).verdict is Verdict.DELIVERED


# --- what is not known ---


def test_nodes_whose_rules_are_missing_prove_nothing() -> None:
    silent = trace({"node-a": Node(None)}, "a2")
    assert only(silent).verdict is Verdict.INCONCLUSIVE
    beyond = trace({"node-a": Node(service("b1")), "node-b": Node(None)}, "a2")
    assert only(beyond).verdict is Verdict.DELIVERED
    assert not beyond.conclusive
    assert "node-b" in beyond.reason


def test_an_unknown_match_is_named_where_it_decides_and_only_there() -> None:
    limited = "-A FORWARD -m limit --limit 5/sec -j ACCEPT"
    harmless = trace(_both(service("b1") + filtered(limited)), "a2")
    assert (only(harmless).verdict, harmless.conclusive) == (Verdict.DELIVERED, True)
    found = trace({"node-a": Node(service("b1") + filtered(limited, FORWARD="DROP"))}, "a2")
    assert (only(found).verdict, found.conclusive) == (Verdict.INCONCLUSIVE, False)
    assert "-m limit of nodes/node-a/iptables-save.txt" in found.reason


def test_what_is_certain_stays_certain_beside_an_unknown_match() -> None:
    unsure = (
        "-A FORWARD -d 10.0.2.0/24 -m hashlimit --hashlimit-upto 1/sec --hashlimit-name x -j DROP"
    )
    found = trace({"node-a": Node(service("a1", "b1") + filtered(unsure))}, "a2")
    assert found.probability(Verdict.DELIVERED) == Fraction(1, 2)
    assert found.probability(Verdict.INCONCLUSIVE) == Fraction(1, 2)


def test_hairpin_mode_that_differs_or_is_missing_is_a_question_only_where_it_decides() -> None:
    found = trace({"node-a": Node(service("a1", "b1"), hairpin=None)}, "a1")
    assert found.probability(Verdict.DELIVERED) == Fraction(1, 2)
    assert "hairpin" in found.reason
    assert trace({"node-a": Node(service("a1", "b1"), hairpin=None)}, "a2").conclusive


def test_bridge_netfilter_is_a_question_without_sysctls() -> None:
    node = Node(service("a1"), absent=frozenset({Input.SYSCTLS}))
    node.sysctls = {"net.bridge.bridge-nf-call-iptables": ""}
    found = trace({"node-a": node}, "a2")
    assert only(found).verdict is Verdict.INCONCLUSIVE
    assert "bridge-nf-call-iptables" in found.reason


def test_what_is_not_executed_makes_a_trace_inconclusive() -> None:
    found = trace({"node-a": Node(service("b1"), unexecuted=("nftables table inet x",))}, "a2")
    assert only(found).verdict is Verdict.INCONCLUSIVE
    assert "nftables table inet x" in found.reason


def test_an_answer_to_a_pods_address_from_outside_is_beyond_the_bundle() -> None:
    outside = service("b1").replace(
        "--to-destination 10.0.2.11:8080", "--to-destination 198.51.100.9:5432"
    )
    from_pod = trace(_both(outside), "a2")
    assert (only(from_pod).verdict, from_pod.conclusive, from_pod.exact) == (
        Verdict.DELIVERED,
        True,
        False,
    )
    assert "the network outside sends what is for 10.0.1.12 to node-a" in from_pod.reason
    masqueraded = outside.replace(
        "-A KUBE-SVC-X -j", "-A KUBE-SVC-X -j KUBE-MARK-MASQ\n-A KUBE-SVC-X -j"
    )
    assert trace(_both(masqueraded), "a2").exact
    assert trace(_both(outside), "node-a").exact


def test_affinity_leaves_the_verdict_certain_but_not_the_backend() -> None:
    found = trace(_both(service("a1", "b1", affinity=True)), "a2")
    assert {o.verdict for o in found.outcomes} == {Verdict.DELIVERED}
    assert found.conclusive
    assert not found.exact
    assert trace(_both(service("b1", affinity=True)), "a2").exact

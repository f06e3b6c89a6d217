from __future__ import annotations

from analyzer.model.forwarding import Clients, Frontend, FrontendKind, Protocol
from analyzer.observe.userspace import observe_userspace
from tests.observe.rulesets import dump, tables


def test_addresses_that_are_handed_to_kube_proxy_have_an_entry_without_targets() -> None:
    table = observe_userspace(dump("userspace"))

    assert [
        (str(e.frontend), str(e.service_port), e.clients, e.chain, e.targets) for e in table.entries
    ] == [
        (
            "cluster IP 10.0.1.175:80/TCP",
            "default/hostnames:default",
            Clients.ALL,
            "KUBE-PORTALS-CONTAINER",
            (),
        ),
        ("node port 30239/TCP", "default/ssh", Clients.EXTERNAL, "KUBE-NODEPORT-CONTAINER", ()),
        (
            "cluster IP 10.0.0.1:443/TCP",
            "default/kubernetes:https",
            Clients.INTERNAL,
            "KUBE-PORTALS-HOST",
            (),
        ),
    ]


def test_an_entry_points_at_its_rule_and_its_chain() -> None:
    entry = observe_userspace(dump("userspace")).entries[0]

    assert (entry.source.line, entry.chain_source.line) == (14, 7)  # type: ignore[union-attr]


def test_the_sort_of_an_address_is_what_is_declared() -> None:
    declared = [Frontend(FrontendKind.EXTERNAL_IP, "10.0.1.175", Protocol.TCP, 80)]

    table = observe_userspace(dump("userspace"), declared)

    assert table.entries[0].frontend.kind is FrontendKind.EXTERNAL_IP


def test_a_ruleset_without_nat_table_has_no_entry() -> None:
    ruleset = tables(filter_table="-A KUBE-SERVICES -j ACCEPT")
    del ruleset.tables["nat"]

    assert observe_userspace(ruleset).entries == ()

from __future__ import annotations

import pytest

from analyzer.model.kube_proxy import ProxyMode
from analyzer.model.node import Document, InterfaceAddress
from analyzer.model.ruleset import Ruleset
from analyzer.model.source import ObjectRef, SourceRef
from analyzer.observe.residue import other_mode_state
from tests.observe.rulesets import tables

IPTABLES = tables(
    nat="""
    -A PREROUTING -j KUBE-SERVICES
    -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
    -A KUBE-SVC-NPX46M4PTMTKRN6Y -j KUBE-SEP-AAAAAAAAAAAAAAAA
    """
)
UNHOOKED = tables(
    nat="""
    -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
    -A KUBE-SVC-NPX46M4PTMTKRN6Y -j KUBE-SEP-AAAAAAAAAAAAAAAA
    """
)
USERSPACE = tables(
    nat="""
    -A OUTPUT -j KUBE-PORTALS-HOST
    -A KUBE-PORTALS-HOST -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.0.0.1:40000
    """
)
PORTALS = tables(
    nat="""
    -A KUBE-PORTALS-HOST -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.0.0.1:40000
    """
)
IPVS = tables(
    nat="""
    -A PREROUTING -j KUBE-SERVICES
    -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT
    """
)
NFT = Document(
    {"nftables": [{"chain": {"family": "ip", "table": "kube-proxy", "name": "services"}}]},
    ObjectRef("nft-ruleset.json", -1),
)
DUMMY = InterfaceAddress("kube-ipvs0", "10.96.0.1", 32, SourceRef("ip-addr.txt", 3))
OTHER = InterfaceAddress("eth0", "10.96.0.1", 32, SourceRef("ip-addr.txt", 1))


@pytest.mark.parametrize(
    ("mode", "rulesets", "nft", "addresses", "claims"),
    [
        pytest.param(ProxyMode.IPTABLES, (IPTABLES,), None, (), [], id="its own"),
        pytest.param(
            ProxyMode.NFTABLES,
            (IPTABLES,),
            NFT,
            (),
            ["rules of iptables mode are in force"],
            id="iptables before nftables",
        ),
        pytest.param(ProxyMode.NFTABLES, (UNHOOKED,), NFT, (), [], id="chains without a hook"),
        pytest.param(
            ProxyMode.IPTABLES,
            (IPTABLES, USERSPACE),
            None,
            (),
            ["rules of userspace mode are in force"],
            id="userspace before iptables",
        ),
        pytest.param(
            ProxyMode.IPTABLES, (IPTABLES, PORTALS), None, (), [], id="portals without a hook"
        ),
        pytest.param(
            ProxyMode.IPTABLES,
            (IPTABLES,),
            NFT,
            (),
            ["the table of nftables mode is in force"],
            id="nftables before iptables",
        ),
        pytest.param(
            ProxyMode.IPTABLES,
            (IPTABLES,),
            None,
            (OTHER, DUMMY),
            ["ipvs mode's interface kube-ipvs0 still holds addresses of Services"],
            id="ipvs before iptables",
        ),
        pytest.param(ProxyMode.IPVS, (IPVS,), None, (DUMMY,), [], id="ipvs itself"),
        pytest.param(
            ProxyMode.REPLACED,
            (IPTABLES,),
            None,
            (),
            ["rules of iptables mode are in force"],
            id="kube-proxy before its replacement",
        ),
        pytest.param(ProxyMode.UNKNOWN, (IPTABLES,), NFT, (DUMMY,), [], id="mode not known"),
    ],
)
def test_only_state_of_another_mode_that_decides_about_packets_counts(
    mode: ProxyMode,
    rulesets: tuple[Ruleset, ...],
    nft: Document | None,
    addresses: tuple[InterfaceAddress, ...],
    claims: list[str],
) -> None:
    assert [s.claim for s in other_mode_state(mode, rulesets, nft, addresses)] == claims


def test_one_sign_a_mode_is_enough_and_it_is_the_rule() -> None:
    (sign,) = other_mode_state(ProxyMode.IPVS, (IPTABLES, IPTABLES), None, ())
    assert sign.source == IPTABLES.ref(IPTABLES.rules("nat", "KUBE-SERVICES")[0])

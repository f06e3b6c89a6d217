"""Three-valued matching: what a match says of a packet, and when it does not know."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from analyzer.model.ip_set import IPSet, SetMember
from analyzer.model.ruleset import Rule
from analyzer.model.source import SourceRef
from analyzer.simulate.host import Host
from analyzer.simulate.machine import Machine
from analyzer.simulate.packet import UNSURE, Listed, Packet, Ports, TcpFlags
from analyzer.simulate.rule import CompiledRule, compile_rule
from tests.simulate.lab import host, packet, rules

_HERE = SourceRef("x", 1)
_PACKET = packet("10.0.0.5", "10.1.0.9", 80)
_ON_LIST = Listed("node", "A", _PACKET.flow.source)


def _compiled(match: str, where: Host | None = None) -> CompiledRule:
    protocol = "" if "-p " in match else "-p tcp "
    (dump,) = rules(
        f"*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD {protocol}{match} -j DROP\nCOMMIT\n"
    )
    assert not dump.problems
    rule: Rule = dump.rules("mangle", "FORWARD")[0]
    return compile_rule(rule, _HERE, Machine(where or host((dump,))), ())


def _changed(**fields: object) -> Packet:
    return msgspec.structs.replace(_PACKET, **fields)


@pytest.mark.parametrize(
    ("match", "answer"),
    [
        ("-s 10.0.0.0/8", True), ("! -s 10.0.0.0/8", False), ("-s 10.0.0.5", True),
        ("-d 10.1.0.0/255.255.0.255", False),
        ("-m tcp --dport 80", True), ("-m tcp ! --dport 80", False), ("-m tcp --dport 443", False),
        ("-m tcp --sport 1024:65535", True), ("-m tcp --sport 0:1023", False),
        ("-m tcp --sport 40000", None), ("-m tcp ! --sport 40000", None),
        ("-m multiport --dports 22,80", True), ("-m multiport --ports 22,40000", None),
        ("-m multiport --ports 80,40000", True),
        ("-m tcp --tcp-flags FIN,SYN,RST,ACK SYN", True), ("-m tcp --tcp-flags ACK ACK", False),
        ("-m tcp --tcp-option 7", None),
        ("-p udp", False), ("-p 6", True), ("-p all", True), ("! -p udp", True), ("-p vrrp", False),
        ("-m conntrack --ctstate INVALID", True), ("-m conntrack --ctstate NEW", False),
        ("-m conntrack --ctorigdst 10.1.0.9", False), ("-m connmark ! --mark 0x1", False),
        ("-m mark --mark 0x0/0x4000", True), ("-m mark ! --mark 0x4000/0x4000", True),
        ("-m iprange --src-range 10.0.0.1-10.0.0.9", True),
        ("-m recent --rcheck --name A --rsource", False), ("-m recent --set --name A --rsource", True),
        ('-m comment --comment "-j ACCEPT"', True), ("-m nfacct --nfacct-name x", True),
        ("-m limit --limit 1/sec", None), ("-m string --string x --algo bm", None), ("-m unheard-of --option 1", None),
        ("-m set --match-set nowhere src", None), ("-m pkttype --pkt-type broadcast", False),
        ("-m limit --limit 1/sec -m tcp --dport 443", False),
        ("-p tcp --dport 80", True), ("-p tcp --dport 443", False), ("-p tcp --syn", True),
        ("-p tcp -m state --state INVALID --dport 80", True), ("-p tcp -m state --state INVALID ! --dport 80", False),
    ],
)  # fmt: skip
def test_a_match_says(match: str, answer: bool | None) -> None:
    assert _compiled(match).matches(_PACKET) is answer


@pytest.mark.parametrize(
    ("match", "fields", "answer"),
    [
        ("-i eth0", {"in_interface": None}, None),
        ("-i +", {"in_interface": None}, True),
        ("! -i eth0", {"in_interface": ""}, True),
        ("-i eth+", {"in_interface": "eth1"}, True),
        ("-m physdev --physdev-is-in", {"physical_in": None}, True),
        ("-m physdev --physdev-in veth1", {"physical_in": None}, None),
        ("-m physdev ! --physdev-is-in", {"physical_in": UNSURE}, None),
        ("-m owner --uid-owner 0", {"local": True}, None),
        ("-m owner --uid-owner 0", {"local": False}, False),
        ("-m recent --rcheck --name A", {"recent": frozenset({_ON_LIST})}, True),
        ("-m recent ! --rcheck --name A", {"recent": frozenset({_ON_LIST})}, False),
        ("-m tcp --tcp-flags SYN,ACK SYN,ACK", {"flags": TcpFlags.SYN | TcpFlags.ACK}, True),
        ("-p icmp -m icmp --icmp-type 8", {"protocol": "icmp", "icmp": (8, 0)}, True),
        ("-p icmp -m icmp --icmp-type 3/4", {"protocol": "icmp", "icmp": (3, 3)}, False),
    ],
)  # fmt: skip
def test_a_match_says_of_a_packet_that(
    match: str, fields: dict[str, object], answer: bool | None
) -> None:
    assert _compiled(match).matches(_changed(**fields)) is answer


def test_what_is_not_known_is_named() -> None:
    rule = _compiled("-m limit --limit 1/sec -m tcp --sport 40000")
    assert rule.undecided(_PACKET) == "-m limit, -m tcp"


# --- sets ---


def _set(kind: str, *elements: str, nomatch: tuple[str, ...] = ()) -> IPSet:
    members = [SetMember(e, nomatch=False, source=_HERE) for e in elements]
    members += [SetMember(e, nomatch=True, source=_HERE) for e in nomatch]
    return IPSet("s", kind, "inet", tuple(members), _HERE)


@pytest.mark.parametrize(
    ("found", "sides", "answer"),
    [
        (_set("hash:ip", "10.0.0.5"), "src", True),
        (_set("hash:ip", "10.0.0.5"), "dst", False),
        (_set("hash:ip", "10.0.0.1-10.0.0.9"), "src", True),
        (_set("hash:net", "10.0.0.0/8", nomatch=("10.0.0.0/24",)), "src", False),
        (_set("hash:net", "10.0.0.0/24", nomatch=("10.0.0.0/8",)), "src", True),
        (_set("hash:ip,port", "10.1.0.9,tcp:80"), "dst,dst", True),
        (_set("hash:ip,port", "10.1.0.9,udp:80"), "dst,dst", False),
        (_set("hash:ip,port,ip", "10.1.0.9,tcp:80,10.0.0.5"), "dst,dst,src", True),
        (_set("hash:net,net", "10.0.0.0/8,10.1.0.0/16"), "src,dst", True),
        (
            _set("hash:net,net", "10.0.0.0/8,10.1.0.9", nomatch=("10.0.0.0/9,10.0.0.0/8",)),
            "src,dst",
            False,
        ),
        (replace(_set("hash:ip", "10.0.0.0"), netmask="24"), "src", True),
        (replace(_set("hash:ip,mark", "10.0.0.5,0x0"), markmask="0xff"), "src,src", None),
        (replace(_set("hash:ip,port", "10.1.0.0,tcp:80"), netmask="24"), "dst,dst", None),
        (_set("bitmap:port", "70-90"), "dst", True),
        (_set("bitmap:port", "40000"), "src", None),
        (_set("hash:mac", "01:02:03:04:05:06"), "src", None),
        (_set("hash:ip", "not an address"), "src", None),
        (_set("hash:net,iface", "10.0.0.0/8,physdev:x"), "src,src", None),
    ],
    ids=str,
)
def test_a_set_holds(found: IPSet, sides: str, answer: bool | None) -> None:
    where = replace(host(rules("")), sets={"s": found})
    assert _compiled(f"-m set --match-set s {sides}", where).matches(_PACKET) is answer


def test_a_set_of_sets_holds_what_they_hold() -> None:
    outer = IPSet(
        "outer", "list:set", "inet", (SetMember("s", nomatch=False, source=_HERE),), _HERE
    )
    where = replace(host(rules("")), sets={"outer": outer, "s": _set("hash:ip", "10.0.0.5")})
    assert _compiled("-m set --match-set outer src", where).matches(_PACKET) is True
    alone = replace(where, sets={"outer": outer})
    assert _compiled("-m set --match-set outer src", alone).matches(_PACKET) is None


def test_the_port_of_a_client_is_known_where_it_is_given() -> None:
    exact = _changed(flow=_PACKET.flow._replace(source_ports=Ports(40000, 40000)))
    assert _compiled("-m tcp --sport 40000").matches(exact) is True

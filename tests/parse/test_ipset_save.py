"""`ipset save` as sets with members."""

from __future__ import annotations

import pytest

from analyzer.parse.ipset_save import parse_ipset_save

_SAVED = """\
create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x5f
add KUBE-CLUSTER-IP 10.96.0.1,tcp:443
add KUBE-CLUSTER-IP 10.96.0.10,udp:53
create nets hash:net family inet hashsize 1024 maxelem 65536 comment
add nets 10.0.0.0/8 comment "all, nomatch"
add nets 10.1.0.0/16 nomatch
create v6 hash:ip family inet6 hashsize 1024 maxelem 65536
create ports bitmap:port range 0-1023
add ports 80-90
"""


def test_reads_sets_with_their_members_and_lines() -> None:
    found = parse_ipset_save("ipset-save.txt", _SAVED)
    assert not found.problems
    assert list(found.value) == ["KUBE-CLUSTER-IP", "nets", "v6", "ports"]
    cluster = found.value["KUBE-CLUSTER-IP"]
    assert (cluster.kind, cluster.family, cluster.source.line) == ("hash:ip,port", "inet", 1)
    assert [(m.element, m.source.line) for m in cluster.members] == [
        ("10.96.0.1,tcp:443", 2),
        ("10.96.0.10,udp:53", 3),
    ]
    assert [m.nomatch for m in found.value["nets"].members] == [False, True]
    assert found.value["v6"].family == "inet6"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("create a hash:ip\nadd b 10.0.0.1\n", 2, "set b was not created before"),
        ("ipset v7.17: Kernel error\n", 1, "not a line of ipset save"),
        ("create a hash:ip\nadd a\n", 2, "not a line of ipset save"),
    ],
    ids=["member of no set", "error message", "cut off"],
)
def test_tells_what_it_cannot_read_and_keeps_the_rest(text: str, line: int, message: str) -> None:
    (problem,) = parse_ipset_save("ipset-save.txt", text).problems
    assert (problem.line, problem.message) == (line, message)

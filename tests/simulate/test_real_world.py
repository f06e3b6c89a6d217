"""Rulesets that strangers published: whatever they hold, a packet ends somewhere, and its shares sum to 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.model.ruleset import Family
from tests.simulate.lab import host, packet, rules, send

_ADDRESSES = (("eth0", "192.0.2.1/24"), ("cni0", "10.244.0.1/24"), ("eth0", "2001:db8::1/64"))
_ENDS = {
    Family.IPV4: (("10.244.0.5", "10.96.0.1"), ("198.51.100.7", "192.0.2.1"), ("192.0.2.1", "8.8.8.8")),
    Family.IPV6: (("2001:db8::5", "2001:db9::7"), ("2001:db8::1", "2001:db9::7")),
}  # fmt: skip


def test_every_published_ruleset_can_be_executed(shared: Path) -> None:
    folder = shared / "realworld" / "iptables"
    if not folder.is_dir():
        pytest.skip("no realworld/iptables beside the checkout")
    executed = 0
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        text = file.read_bytes().decode("utf-8", "replace")
        for dump in rules(text, Family.IPV6 if "ip6" in file.name else Family.IPV4)[-1:]:
            node = host((dump,), _ADDRESSES)
            for source, destination in _ENDS[dump.family]:
                results = send(node, packet(source, destination, 443), "cni0")
                assert sum(r.chance for r in results if not _supposed(r.way)) <= 1 + 1e-9, file.name
                assert results, file.name
                executed += 1
    assert executed > 1000


def _supposed(way: object) -> bool:
    return bool(getattr(way, "branch", way).suppositions)  # type: ignore[attr-defined]

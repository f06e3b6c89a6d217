"""Dumps that strangers published: nothing in them raises, and what they serve is read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from analyzer.model.ruleset import Family, Ruleset
from analyzer.observe.chains import chain_graph
from analyzer.observe.iptables import observe_iptables
from analyzer.observe.kube_proxy import identify_kube_proxy
from analyzer.observe.userspace import observe_userspace
from analyzer.parse.iptables_save import parse_iptables_save
from tests.observe.evidence import evidence


@pytest.fixture(scope="module")
def dumps(shared: Path) -> list[Ruleset]:
    """Every dump of realworld/iptables."""
    folder = shared / "realworld" / "iptables"
    if not folder.is_dir():
        pytest.skip("no ../shared/realworld beside the checkout")
    texts = ((f.name, f.read_bytes().decode(errors="replace")) for f in sorted(folder.iterdir()))
    return [r for name, text in texts for r in parse_iptables_save(name, text, Family.IPV4)]


def test_every_dump_is_read_and_nearly_every_entry_has_an_owner(dumps: list[Ruleset]) -> None:
    entries = [e for d in dumps for e in observe_iptables(d, {}).entries]
    without = Counter(e.source.path for e in entries if e.service_port is None)  # type: ignore[union-attr]

    assert len(entries) > 150
    assert without.total() < len(entries) / 20, without


def test_targets_add_up_to_no_more_than_one(dumps: list[Ruleset]) -> None:
    for dump in dumps:
        for entry in observe_iptables(dump, {}).entries:
            assert sum(t.share for t in entry.targets) <= 1 + 1e-9


def test_chains_modes_and_versions_of_every_dump_are_told_without_an_error(
    dumps: list[Ruleset],
) -> None:
    for dump in dumps:
        graph = chain_graph(dump)
        proxy = identify_kube_proxy(evidence(rulesets=(dump,)))
        observe_userspace(dump)
        assert graph.kube_proxy or not graph.empty
        assert proxy.version.exact is None

"""What KUBE-POSTROUTING does by the mark, in the forms of all versions and damaged."""

from __future__ import annotations

import pytest

from analyzer.observe.postrouting import masquerades
from tests.observe.rulesets import tables

OLD = "-m mark --mark 0x4000/0x4000 -j MASQUERADE"
NEW = (
    "-m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-j MARK --set-xmark 0x4000/0x0",
    '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
)


@pytest.mark.parametrize(
    ("rules", "marked", "unmarked"),
    [
        pytest.param((OLD,), True, False, id="1.2 to 1.17"),
        pytest.param(NEW, True, False, id="1.18 and later"),
        pytest.param((), False, False, id="empty"),
        pytest.param(NEW[1:], True, True, id="without the return of unmarked packets"),
        pytest.param((NEW[0], "-j RETURN", NEW[2]), False, False, id="leaves before masquerading"),
        pytest.param((NEW[0].replace("4000", "8000"), NEW[2]), False, False, id="another mark"),
        pytest.param(
            (NEW[0], "-j MARK --set-xmark 0x4000/0x0", OLD),
            False,
            False,
            id="mark cleared too early",
        ),
        pytest.param((NEW[0], "-o eth0 -j MASQUERADE"), None, False, id="depends on the interface"),
        pytest.param(
            ("-d 10.0.0.0/8 -j ACCEPT", *NEW), None, None, id="depends on the destination"
        ),
        pytest.param(("-m limit --limit 5/min", *NEW), True, False, id="a rule that only counts"),
    ],
)
def test_what_is_masqueraded_by_its_mark(
    rules: tuple[str, ...], marked: bool | None, unmarked: bool | None
) -> None:
    lines = "".join(f"-A KUBE-POSTROUTING {rule}\n" for rule in rules)
    found = tables(nat=f"-A POSTROUTING -j KUBE-POSTROUTING\n{lines}").rules(
        "nat", "KUBE-POSTROUTING"
    )
    assert masquerades(found, 0x4000) is marked
    assert masquerades(found, 0) is unmarked

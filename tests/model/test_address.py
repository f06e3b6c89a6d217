"""Addresses are compared in one spelling, and what is no address is none."""

from __future__ import annotations

import pytest

from analyzer.model.address import canonical_ip, family_of, networks_of
from analyzer.model.ruleset import Family


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.96.0.1", "10.96.0.1"),
        ("010.096.000.001", "10.96.0.1"),
        ("100.200.0.0", "100.200.0.0"),
        ("fd00:10:244:0::5", "fd00:10:244::5"),
        ("FD00::A", "fd00::a"),
        ("***HIDDEN***", "***HIDDEN***"),
        ("a::b::c", "a::b::c"),
        ("", ""),
    ],
)
def test_one_spelling(text: str, canonical: str) -> None:
    assert canonical_ip(text) == canonical


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("10.96.0.1", Family.IPV4),
        ("255.255.255.255", Family.IPV4),
        ("256.1.1.1", None),
        ("1.2.3", None),
        ("1.2.3.4.5", None),
        ("1.2.3.4/32", None),
        ("\u0661.2.3.4", None),
        ("fd00::1", Family.IPV6),
        ("fd00::1::2", None),
        ("example.com", None),
        ("", None),
    ],
)
def test_family(text: str, family: Family | None) -> None:
    assert family_of(text) is family


def test_networks_of_one_family() -> None:
    found = networks_of([" 10.0.0.7/8 ", "fd00::/8", "nonsense", "192.0.2.1"], Family.IPV4)
    assert [str(n) for n in found] == ["10.0.0.0/8", "192.0.2.1/32"]

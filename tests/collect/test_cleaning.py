"""Texts of nodes lose credentials on their way; rules and addresses go through as they are."""

from __future__ import annotations

import pytest

from analyzer.collect.cleaning import Cleaning, Tail, cleaned

SECRET = b"--token=abc123 "
GONE = b"--token=<removed 6 bytes> "


@pytest.mark.parametrize(
    "name",
    ["processes.txt", "kube-proxy.log", "kubelet.log", "kubelet-configz.json", "resolv.conf"],
)
def test_texts_lose_credentials(name: str) -> None:
    assert cleaned(name, b"a " + SECRET + b"\nb") == b"a " + GONE + b"\nb"


@pytest.mark.parametrize("name", ["iptables-save.txt", "nft-ruleset.json", "ipset-save.txt"])
def test_rules_stay_as_they_are(name: str) -> None:
    assert cleaned(name, SECRET) == SECRET


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_it_does_not_matter_how_a_text_is_cut_into_pieces(size: int) -> None:
    text = (b"line " + SECRET + b"\n") * 30 + b"\xff\xfe no UTF-8\r\nlast"
    taken = bytearray()
    with Cleaning("kubelet.log", taken.extend) as cleaning:
        for start in range(0, len(text), size):
            cleaning.write(text[start : start + size])
    assert bytes(taken) == text.replace(SECRET, GONE)


def test_a_line_without_end_is_not_kept_in_memory() -> None:
    taken: list[int] = []
    with Cleaning("kubelet.log", lambda piece: taken.append(len(piece))) as cleaning:
        for _ in range(100):
            cleaning.write(b"x" * 10_000)
    assert sum(taken) == 1_000_000
    assert max(taken) < 100_000


def test_the_newest_lines_of_a_log_are_kept_whole() -> None:
    tail = Tail(25)
    for number in range(100):
        tail.write(b"line %02d\n" % number)
    assert tail.content() == b"line 97\nline 98\nline 99\n"
    assert tail.cut


def test_a_short_log_is_not_cut() -> None:
    tail = Tail(25)
    tail.write(b"a\nb")
    assert (tail.content(), tail.cut, tail.lines) == (b"a\nb", False, 1)

"""A dump that is read in pieces gives what the same dump gives as a whole, whatever is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from analyzer.model.kubernetes import Service
from analyzer.parse.json_pieces import ItemPieces
from analyzer.parse.kubernetes_json import decode_objects, read_objects

_SEEDS = range(300)


def service(index: int, *, kind: bool = True, padding: int = 3) -> dict[str, Any]:
    head = {"apiVersion": "v1", "kind": "Service"} if kind else {}
    owners = [{"apiVersion": "v1", "kind": "X", "name": f"o{n}"} for n in range(padding)]
    annotations = {"a": '},{"apiVersion": "v1", \\"[{' * padding, "é": "\\"}
    metadata = {"annotations": annotations, "name": f"s{index}", "ownerReferences": owners}
    return {**head, "metadata": metadata, "spec": {"ports": [{"port": 80}, {"port": 81}]}}


def listed(items: list[Any], *, last: bool = False, kind: str = "List") -> dict[str, Any]:
    whole = {"apiVersion": "v1", "items": items, "kind": kind, "metadata": {"resourceVersion": ""}}
    return dict(sorted(whole.items(), key=lambda field: field[0] == "items")) if last else whole


def in_pieces_of(size: int, data: bytes) -> Callable[[int], Iterator[bytes]]:
    return lambda _size: (data[start : start + size] for start in range(0, len(data), size))


def document(random: Random) -> bytes:
    plain = random.random() < 0.5
    items = [
        service(n, kind=plain, padding=random.randrange(4)) for n in range(random.randrange(30))
    ]
    if random.random() < 0.1 and items:
        random.choice(items)["kind"] = "Pod"
    if random.random() < 0.1 and items:
        items[0], items[-1] = {**items[0], "kind": "Pod"}, items[-1]
    whole = listed(items, last=random.random() < 0.5, kind=random.choice(["List", "ServiceList"]))
    indent = random.choice([None, 4, 1, "\t"])
    text = json.dumps(whole, indent=indent, ensure_ascii=random.random() < 0.5)
    return random.choice(["", "", "\n", "\ufeff", "Warning: x\n"]).encode() + text.encode()


def damaged(random: Random, data: bytes) -> bytes:
    place = random.randrange(len(data))
    match random.randrange(6):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + bytes([random.choice(b'{}[]",:\\\xff\r1')]) + data[place + 1 :]
        case 2:
            return data[:place] + data[place + random.randrange(1, 50) :]
        case 3:
            return data + data[place:]
        case 4:
            return data.replace(b"80", b'"http"', random.randrange(3))
        case _:
            return data


@pytest.mark.parametrize("seed", _SEEDS)
def test_pieces_of_any_size_give_the_same_as_the_whole(seed: int) -> None:
    random = Random(seed)
    data = damaged(random, document(random))
    expected = decode_objects("f", data, Service)
    for size in (1 << 20, 4000, random.randrange(200, 1500)):
        assert read_objects("f", in_pieces_of(size, data), Service) == expected


@pytest.mark.parametrize("indent", [None, 4])
def test_of_a_large_list_little_is_left_behind_the_arrays(indent: int | None) -> None:
    items = [service(n, padding=0) for n in range(200)]
    data = json.dumps(listed(items), indent=indent).encode()
    source = ItemPieces(in_pieces_of(2000, data)(0))
    found = [item for array in source.arrays() for item in json.loads(array)]
    found += json.loads(source.rest)["items"]
    assert found == items
    assert len(source.rest) < 4000


def test_no_more_than_a_piece_and_what_is_left_of_the_one_before_is_held() -> None:
    data = json.dumps(listed([service(n, padding=0) for n in range(200)])).encode()
    given = 0

    def pieces() -> Iterator[bytes]:
        nonlocal given
        for piece in in_pieces_of(2000, data)(0):
            given += len(piece)
            yield piece

    taken = 0
    for array in ItemPieces(pieces()).arrays():
        taken += len(array)
        assert given - taken < 2000


@pytest.mark.parametrize(("longest", "most"), [(4 << 20, 4000), (10_000, 20_000)])
def test_an_item_of_many_pieces_is_waited_for_unless_it_is_longer_than_any_object(
    longest: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.parse.json_pieces._LONGEST", longest)
    items = [service(n, padding=500 if n == 20 else 0) for n in range(60)]
    data = json.dumps(listed(items), indent=4).encode()
    source = ItemPieces(in_pieces_of(2000, data)(0))
    found = [item for array in source.arrays() for item in json.loads(array)]
    found += json.loads(source.rest)["items"]
    assert found == items
    assert (len(source.rest) < most) is (longest > 10_000)


@pytest.mark.parametrize("depth", [200, 201, 300, 100_000])
def test_what_is_nested_too_deep_is_refused_in_an_array_as_well(depth: int) -> None:
    deep = "[" * (depth - 1) + "]" * (depth - 1)
    items = [json.dumps(service(n)) for n in range(40)]
    items[20] = f'{{"apiVersion":"v1","metadata":{{"name":"deep"}},"x":{deep}}}'
    data = f'{{"items":[{",".join(items)}]}}'.encode()
    read = read_objects("f", in_pieces_of(3000, data), Service)
    assert read == decode_objects("f", data, Service)
    assert ("deep" in {s.name for s in read.value}) is (depth == 200)

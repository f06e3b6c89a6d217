from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from analyzer.bundle.limits import Limits
from analyzer.bundle.manifest import Manifest, ManifestEntry, MissingFile
from analyzer.bundle.manifest_json import ManifestReading, _validator, read_manifest
from analyzer.bundle.problem import ProblemKind
from analyzer.bundle.reader import open_bundle
from analyzer.model.source import ObjectRef

DEFAULT = Limits()
SHA = hashlib.sha256(b"*nat\n").hexdigest()
WHOLE = {
    "format": "svcbundle/v1",
    "tool": {"name": "svcbundle", "version": "0.1.0"},
    "cluster": "prod-eu-1",
    "createdAt": "2026-11-23T02:51:33Z",
    "redacted": True,
    "nodes": {"node-a": {"method": "kubectl-exec"}, "node-b": {}},
    "entries": [
        {
            "path": "nodes/node-a/iptables-save.txt",
            "command": ["iptables-save", "-c"],
            "startedAt": "2026-11-23T03:51:34.120+01:00",
            "durationMs": 84,
            "exitCode": 0,
            "bytes": 5,
            "sha256": SHA.upper(),
            "truncated": True,
            "stderr": "# Warning",
        },
        {"path": "cluster/services.json"},
    ],
    "missing": [
        {"path": "nodes/node-c/x", "reason": "kubectl exec: timed out", "command": ["x"]},
    ],
    "later": {"fields": "are let through"},
}
TIME = 'date and time with zone as in RFC 3339, such as "2026-11-23T02:51:33Z")'
MINIMAL = {"format": "svcbundle/v1", "createdAt": "2026-11-23T02:51:33Z"}


def read(document: object, limits: Limits = DEFAULT) -> ManifestReading:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_manifest(content, "b.tgz", limits)


def test_all_fields_are_read() -> None:
    assert read(WHOLE).problems == ()
    assert read(WHOLE).manifest == Manifest(
        "svcbundle/v1",
        "svcbundle 0.1.0",
        "prod-eu-1",
        datetime(2026, 11, 23, 2, 51, 33, tzinfo=UTC),
        True,
        {"node-a": "kubectl-exec", "node-b": ""},
        {
            "nodes/node-a/iptables-save.txt": ManifestEntry(
                "nodes/node-a/iptables-save.txt",
                ("iptables-save", "-c"),
                datetime(2026, 11, 23, 2, 51, 34, 120000, tzinfo=UTC),
                84,
                0,
                5,
                SHA,
                True,
                "# Warning",
                0,
            ),
            "cluster/services.json": ManifestEntry("cluster/services.json", index=1),
        },
        {"nodes/node-c/x": MissingFile("nodes/node-c/x", "kubectl exec: timed out", ("x",), 0)},
    )


@pytest.mark.parametrize("document", [MINIMAL, b"\xef\xbb\xbf" + json.dumps(MINIMAL).encode()])
def test_little_is_needed(document: bytes) -> None:
    reading = read(document)
    assert reading.problems == ()
    assert reading.manifest == Manifest(
        "svcbundle/v1", created_at=datetime(2026, 11, 23, 2, 51, 33, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("change", "said", "place"),
    [
        (
            {"format": "svcbundle/v2"},
            (
                "$.format: the bundle is in format svcbundle/v2, newer than what this program knows "
                '(expected "svcbundle/v1")'
            ),
            ("format",),
        ),
        (
            {"format": "x" * 500},
            '$.format: "' + "x" * 79 + ' is wrong (expected "svcbundle/v1")',
            ("format",),
        ),
        (
            {"format": "\x1b[2J\u202e"},
            '$.format: "\\u001b[2J\\u202e" is wrong (expected "svcbundle/v1")',
            ("format",),
        ),
        (
            {"createdAt": "yesterday"},
            '$.createdAt: "yesterday" is wrong (expected ' + TIME,
            ("createdAt",),
        ),
        (
            {"createdAt": "2026-11-23T02:51:33"},
            '$.createdAt: "2026-11-23T02:51:33" is wrong (expected ' + TIME,
            ("createdAt",),
        ),
        ({"redacted": "no"}, '$.redacted: "no" is wrong (expected true or false)', ("redacted",)),
        ({"tool": {"name": 1}}, "$.tool.name: 1 is wrong (expected a string)", ("tool", "name")),
        (
            {"nodes": ["node-a"]},
            '$.nodes: ["node-a"] is wrong (expected an object, by node name)',
            ("nodes",),
        ),
        (
            {"nodes": {"a": 1}},
            '$.nodes.a: 1 is wrong (expected an object such as {"method": "kubectl-exec"})',
            ("nodes", "a"),
        ),
        (
            {"entries": {}},
            "$.entries: {} is wrong (expected a list of the files that came)",
            ("entries",),
        ),
        (
            {"entries": [{}]},
            "$.entries[0]: path is missing (expected an object with the file's path)",
            ("entries", 0),
        ),
        (
            {"entries": [{"path": ""}]},
            '$.entries[0].path: "" is wrong (expected a path from the bundle\'s root)',
            ("entries", 0, "path"),
        ),
        (
            {"entries": [{"path": "x", "bytes": -1}]},
            "$.entries[0].bytes: -1 is wrong (expected the file's size, a whole number)",
            ("entries", 0, "bytes"),
        ),
        (
            {"entries": [{"path": "x", "sha256": "ab"}]},
            '$.entries[0].sha256: "ab" is wrong (expected 64 hexadecimal digits)',
            ("entries", 0, "sha256"),
        ),
        (
            {"entries": [{"path": "x", "command": "ls"}]},
            '$.entries[0].command: "ls" is wrong (expected a list of strings)',
            ("entries", 0, "command"),
        ),
        (
            {"entries": [{"path": "x", "startedAt": 1}]},
            "$.entries[0].startedAt: 1 is wrong (expected " + TIME,
            ("entries", 0, "startedAt"),
        ),
        (
            {"missing": [{"reason": "x"}]},
            "$.missing[0]: path is missing (expected an object with the path of a file)",
            ("missing", 0),
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_was_expected(
    change: dict[str, Any], said: str, place: tuple[str | int, ...]
) -> None:
    reading = read({**WHOLE, **change})
    assert [problem.message for problem in reading.problems] == [said]
    (problem,) = reading.problems
    assert (problem.kind, problem.path) == (ProblemKind.UNREADABLE, "manifest.json")
    assert problem.ref == ObjectRef("manifest.json", -1, place)
    assert reading.manifest is not None
    assert reading.manifest.cluster == "prod-eu-1"


def test_keys_that_are_missing_together_are_one_problem() -> None:
    assert [problem.message for problem in read({"cluster": "prod"}).problems] == [
        "$: format, createdAt is missing (expected a JSON object)"
    ]


def test_only_what_is_wrong_is_left_out() -> None:
    entries = [{"path": "a"}, {"path": "b", "bytes": "many"}, {"path": "c"}, 7]
    manifest = read(
        {**WHOLE, "entries": entries, "createdAt": 3, "nodes": {"a": {}, "b": 1}}
    ).manifest
    assert manifest is not None
    assert {path: entry.index for path, entry in manifest.entries.items()} == {"a": 0, "c": 2}
    assert manifest.created_at is None
    assert manifest.nodes == {"a": ""}
    assert list(manifest.missing) == ["nodes/node-c/x"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is no JSON: Input data was truncated"),
        (b"{", "it is no JSON"),
        (b'{"a": 1,}', "it is no JSON: JSON is malformed: trailing comma in object (byte 8)"),
        (b'{"cluster": "\xff"}', "it is no JSON"),
        (b'{"cluster": "\\ud800 alone"}', "it is no JSON"),
        (b'{"entries": [{"path": "x", "durationMs": NaN}]}', "it is no JSON"),
        (b'{"entries": [{"path": "x", "durationMs": 1e999}]}', "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (b'{"format":' + b"[" * 100_000, "it is nested too deeply"),
        (b'{"format":' + b"[" * 700 + b"]" * 700 + b"}", ""),
        (
            b"[" + b"1," * 400 + b"1]",
            "it lists more than 10 members could need (--max-members raises",
        ),
    ],
)
def test_what_is_no_manifest_at_all_is_not_used(content: bytes, said: str) -> None:
    reading = read(content, Limits(members=10))
    if said:
        assert reading.manifest is None
        assert reading.problems[0].message.startswith(f"the manifest is not used: {said}")
    assert len(reading.problems) >= 1


def test_many_errors_are_counted() -> None:
    problems = read({**WHOLE, "entries": [{}] * 50}).problems
    assert len(problems) == 21
    assert problems[-1].message == "30 more errors of this kind"


def test_the_schema_is_a_schema_and_its_words_are_complete() -> None:
    schema = _validator().schema
    Draft202012Validator.check_schema(schema)

    def undescribed(part: object, path: str) -> list[str]:
        if not isinstance(part, dict):
            return []
        found = (
            []
            if "description" in part or "type" not in part or isinstance(part["type"], dict)
            else [path]
        )
        return found + [
            name for key, value in part.items() for name in undescribed(value, f"{path}/{key}")
        ]

    assert undescribed(schema, "") == []


FILE = ("b/nodes/node-a/iptables-save.txt", b"*nat\n")


def bundle_with(
    pack: Callable[..., Path],
    *entries: dict[str, Any],
    members: tuple[tuple[str, bytes] | tarfile.TarInfo, ...] = (FILE,),
    name: str = "b.tgz",
    **fields: object,
) -> Path:
    document = {**MINIMAL, "entries": list(entries), **fields}
    return pack(("b/manifest.json", json.dumps(document).encode()), *members, name=name)


ENTRY = {"path": "nodes/node-a/iptables-save.txt", "bytes": 5, "sha256": SHA}


@pytest.mark.parametrize(
    ("entry", "kind", "said"),
    [
        (ENTRY, None, ""),
        ({**ENTRY, "sha256": SHA.upper()}, None, ""),
        ({"path": ENTRY["path"]}, None, ""),
        ({**ENTRY, "bytes": 6}, ProblemKind.ALTERED, "it has 5 bytes, manifest.json says 6"),
        (
            {**ENTRY, "sha256": "0" * 64},
            ProblemKind.ALTERED,
            f"its SHA-256 is {SHA}, manifest.json says {'0' * 64}",
        ),
        (
            {**ENTRY, "path": "nodes/node-b/x"},
            ProblemKind.UNREADABLE,
            "manifest.json lists it, but it is not in the bundle",
        ),
    ],
    ids=["same", "upper case", "nothing to compare", "size", "content", "absent"],
)
def test_files_are_compared_with_the_manifest(
    request: pytest.FixtureRequest, entry: dict[str, Any], kind: ProblemKind | None, said: str
) -> None:
    listed = ({"path": "cluster/x", "bytes": 1}, entry)
    for writer in ("pack", "lay_out"):
        source = bundle_with(
            request.getfixturevalue(writer),
            *listed,
            members=(FILE, ("b/cluster/x", b"1")),
            name=writer,
        )
        with open_bundle([source]) as bundle:
            assert [(p.kind, p.path, p.message) for p in bundle.problems] == (
                [(kind, entry["path"], said)] if kind else []
            )
            place = ObjectRef("manifest.json", -1, ("entries", 1))
            assert all(problem.ref == place for problem in bundle.problems)
            assert bundle.read("nodes/node-a/iptables-save.txt") == b"*nat\n"
            vouched = entry.get("sha256") and entry["path"] == ENTRY["path"]
            assert bundle.unverified == ("cluster/x", *(() if vouched else (ENTRY["path"],)))


def test_without_a_manifest_nothing_is_verified(pack: Callable[..., Path]) -> None:
    with open_bundle([pack(FILE)]) as bundle:
        assert bundle.manifest is None
        assert bundle.manifest_missing
        assert bundle.unverified == bundle.members
        assert bundle.problems == ()


def test_a_broken_manifest_does_not_hide_the_bundle(pack: Callable[..., Path]) -> None:
    with open_bundle([pack(FILE, ("b/manifest.json", b"{"))]) as bundle:
        assert bundle.manifest is None
        assert len(bundle.problems) == 1
        assert bundle.read(ENTRY["path"]) == b"*nat\n"


def test_a_listed_member_that_was_refused_is_reported_once(pack: Callable[..., Path]) -> None:
    fifo = tarfile.TarInfo(f"b/{ENTRY['path']}")
    fifo.type = tarfile.FIFOTYPE
    with open_bundle([bundle_with(pack, ENTRY, members=(fifo,))]) as bundle:
        assert [problem.message for problem in bundle.problems] == ["refused: it is a FIFO"]


def test_manifests_of_several_inputs_are_one(pack: Callable[..., Path]) -> None:
    one = bundle_with(
        pack, ENTRY, name="1.tgz", nodes={"node-a": {"method": "ssh"}}, cluster="prod"
    )
    other = ("c/nodes/node-b/x", b"1")
    two = bundle_with(
        pack,
        {"path": "nodes/node-b/x", "bytes": 2},
        {"path": ENTRY["path"], "bytes": 5},
        members=(("b" + other[0][1:], other[1]), FILE),
        name="2.tgz",
        nodes={"node-b": {}, "node-a": {}},
        missing=[{"path": "nodes/node-b/y"}],
        redacted=True,
        cluster="other",
    )
    with open_bundle([one, two]) as bundle:
        assert bundle.manifest is not None
        assert bundle.manifest.cluster == "prod"
        assert bundle.manifest.redacted
        assert bundle.manifest.nodes == {"node-a": "ssh", "node-b": ""}
        assert bundle.manifest.entries[ENTRY["path"]].sha256 == SHA
        assert list(bundle.manifest.missing) == ["nodes/node-b/y"]
        assert bundle.unverified == ("nodes/node-b/x",)
        assert [(p.source, p.path, p.ref) for p in bundle.problems] == [
            (str(two), "nodes/node-b/x", None),
            (str(two), "manifest.json", None),
        ]
        assert bundle.problems[1].message == (
            f"it is of cluster other, {one} of prod; both are read as one cluster"
        )


def test_only_the_manifest_beside_a_file_vouches_for_it(pack: Callable[..., Path]) -> None:
    one = bundle_with(pack, name="1.tgz", cluster="prod")
    two = bundle_with(pack, ENTRY, name="2.tgz")
    with open_bundle([one, two]) as bundle:
        assert bundle.unverified == (ENTRY["path"],)
        assert bundle.problems == ()
    with open_bundle([two, one]) as bundle:
        assert bundle.unverified == ()


def test_of_an_archive_that_breaks_off_what_is_lost_is_counted_not_listed(
    pack: Callable[..., Path],
) -> None:
    listed = [{"path": f"nodes/n{number}/x", "bytes": 1} for number in range(9)]
    path = bundle_with(pack, *listed, members=(("b/nodes/n0/x", b"1"), ("b/nodes/n1/x", b"1")))
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(plain[: plain.index(b"b/nodes/n1/x") + 512]))
    with open_bundle([path]) as bundle:
        assert bundle.members == ("manifest.json", "nodes/n0/x")
        assert [str(problem) for problem in bundle.problems] == [
            "nodes/n1/x: cut off by the damage of the archive; not used",
            f"{path}: the archive is cut off; nothing is read after b/nodes/n0/x",
            f"{path}: 7 files that manifest.json lists are lost, from nodes/n2/x on",
        ]

"""Bodies that kubectl's typed clients send as application/vnd.kubernetes.protobuf, as far as this server takes any.

An envelope (apimachinery runtime/serializer/protobuf: four bytes and an `Unknown`) around a message of
staging/src/k8s.io/api/*/generated.proto, of which the fields below are read and all others are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

KIND = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"

Message = dict[int, tuple[str, "type | Message | list[Any]"]]
"""Name and type of each field; a list holds the type of a repeated one."""

_METADATA: Message = {1: ("name", str), 2: ("generateName", str), 3: ("namespace", str)}
_ACCESS: Message = {
    1: ("metadata", _METADATA),
    2: (
        "spec",
        {
            1: (
                "resourceAttributes",
                {
                    1: ("namespace", str),
                    2: ("verb", str),
                    3: ("group", str),
                    4: ("version", str),
                    5: ("resource", str),
                    6: ("subresource", str),
                    7: ("name", str),
                },
            ),
            2: ("nonResourceAttributes", {1: ("path", str), 2: ("verb", str)}),
        },
    ),
}
_SECURITY: Message = {2: ("privileged", bool)}
_CONTAINER: Message = {
    1: ("name", str),
    2: ("image", str),
    3: ("command", [str]),
    4: ("args", [str]),
    14: ("imagePullPolicy", str),
    15: ("securityContext", _SECURITY),
    16: ("stdin", bool),
    17: ("stdinOnce", bool),
    18: ("tty", bool),
}
_POD: Message = {
    1: ("metadata", _METADATA),
    2: (
        "spec",
        {
            2: ("containers", [_CONTAINER]),
            3: ("restartPolicy", str),
            10: ("nodeName", str),
            11: ("hostNetwork", bool),
            12: ("hostPID", bool),
            13: ("hostIPC", bool),
        },
    ),
}
_MESSAGES: dict[str, Message] = {
    "SelfSubjectAccessReview": _ACCESS,
    "SelfSubjectRulesReview": {1: ("metadata", _METADATA), 2: ("spec", {1: ("namespace", str)})},
    "Pod": _POD,
    "DeleteOptions": {},
}


def read_body(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the object of a body, in either form."""
    if content_type != KIND:
        return dict(json.loads(body or b"{}"))
    assert body.startswith(_MAGIC)
    envelope = _read(
        body.removeprefix(_MAGIC), {1: ("type", {1: ("apiVersion", str), 2: ("kind", str)}), 2: ("raw", bytes)}
    )  # fmt: skip
    return {
        **envelope["type"],
        **_read(envelope.get("raw", b""), _MESSAGES[envelope["type"]["kind"]]),
    }


def _read(data: bytes, message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in message:
            continue
        name, kind = message[number]
        if isinstance(kind, list):
            found.setdefault(name, []).append(_value(value, kind[0]))
        else:
            found[name] = _value(value, kind)
    return found


def _value(value: int | bytes, kind: Any) -> Any:
    if isinstance(value, int):
        return kind(value)
    if isinstance(kind, dict):
        return _read(value, kind)
    return value.decode() if kind is str else value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire == 2:
            size, at = _varint(data, at)
            yield number, data[at : at + size]
            at += size
        else:
            at += 8 if wire == 1 else 4


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at

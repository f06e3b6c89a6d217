"""What is taken out of API objects before they are written: values of variables, credentials, bulk.

Nothing that a check reads is touched: specs, labels, selectors, conditions and names stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from analyzer.collect.credentials import (
    arguments_without_credentials,
    may_stand,
    names_credential,
    removed,
    without_credentials,
)

CONFIG_MAPS: Final = (
    "kube-proxy",
    "coredns",
    "kubelet-config",
    "kubeadm-config",
    "node-local-dns",
    "nodelocaldns",
    "cluster-info",
)
"""The ConfigMaps of kube-system that hold network configuration. Source: bundle format svcbundle/v1."""

_APPLIED: Final = re.compile(
    r".*last-applied.*|.*applied-config.*|objectset\.rio\.cattle\.io/applied|kapp\.k14s\.io/original"
    r"|.*/(?:original|previous|desired)-(?:spec|config|configuration|manifest|object)",
    re.IGNORECASE,
)
"""Annotations in which tools keep the whole of what they applied: kubectl, k3s, kapp, operators."""

_ANNOTATION_BYTES: Final = 512
"""Longest annotation that is kept; those that checks read are short."""

_EXTENSION: Final = re.compile(r"\.(?:txt|json|ya?ml|conf|cfg|ini|env|properties|b64)$")
_KEY_FILE: Final = re.compile(
    r".*\.(?:key|p12|pfx|jks|keystore)|\.?htpasswd|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass"
)
"""Files that are kept in ConfigMaps now and then and are nothing but keys or passwords."""

_PAIRS: Final = frozenset({"env", "httpHeaders"})
"""Lists of name and value whose values may be anything, and are of no use to the analysis."""

_ARGUMENTS: Final = frozenset({"command", "args"})
_NAMES: Final = frozenset({"name", "generateName", "namespace", "uid", "resourceVersion"})
_LABELS: Final = frozenset({"labels", "matchLabels", "selector", "nodeSelector"})
_DEEPEST: Final = 100
_SHORTEST_TOKEN: Final = 16
"""Bytes of the shortest credential that is known by its look alone."""

_ASSIGNMENT: Final = frozenset("=: ")
_REPEATED: Final = 256
"""Length up to which a text is likely to be in the next object as well: an image, a message."""


def remove_secrets(item: dict[str, Any]) -> None:
    """Replace, in an API object, each value that may be secret by `<removed N bytes>`; drop what is bulk."""
    for config in (item.get("data"), item.get("stringData")):
        if isinstance(config, dict) and item.get("kind") == "ConfigMap":
            _clean_config(config)
    item.pop("binaryData", None)
    _walk(item, 0)


def config_map_names(minor: int | None) -> tuple[str, ...]:
    """Return the names that are asked for; kubeadm before 1.24 named kubelet's after the version."""
    versions = range(minor - 3, minor + 1) if minor is not None else ()
    return (*CONFIG_MAPS, *(f"kubelet-config-1.{n}" for n in versions if 0 < n <= 24))  # noqa: PLR2004


def _clean_config(values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, str):
            named = names_credential(name) or names_credential(_EXTENSION.sub("", name))
            secret = (named and not may_stand(value)) or _KEY_FILE.fullmatch(name) is not None
            values[name] = removed(value) if secret else without_credentials(value)


def _walk(value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    """Return a value of the object cleaned; containers are changed in place. What lies too deep goes unread."""
    if isinstance(value, str):
        return _text(value)
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        for name, held in value.items():
            if held.__class__ is str or isinstance(held, (dict, list)):
                value[name] = _field(name, held, depth)
        for name in _bulk(value):
            del value[name]
    elif isinstance(value, list):
        for index, held in enumerate(value):
            value[index] = _walk(held, depth + 1)
    return value


def _text(value: str) -> str:
    if len(value) < _SHORTEST_TOKEN and not _ASSIGNMENT & set(value):
        return value
    return _repeated(value) if len(value) < _REPEATED else without_credentials(value)


_repeated = lru_cache(1 << 14)(without_credentials)


def _field(name: str, held: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(held, str):
        if name in _NAMES:
            return held
        if names_credential(name) and not may_stand(held):
            return removed(held)
    elif name == "annotations" and isinstance(held, dict):
        return {key: _annotation(key, text) for key, text in held.items()}
    elif name in _LABELS and isinstance(held, dict):
        return {key: _label(text, depth) for key, text in held.items()}
    elif isinstance(held, list) and name in _PAIRS:
        for pair in held:
            _empty_pair(pair)
    elif isinstance(held, list) and name in _ARGUMENTS and all(isinstance(it, str) for it in held):
        return arguments_without_credentials(held)
    return _walk(held, depth + 1)


def _annotation(name: str, text: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(text, str):
        return _walk(text, 0)
    whole = len(text) > _ANNOTATION_BYTES or _APPLIED.fullmatch(name) is not None
    if whole or (names_credential(name) and not may_stand(text)):
        return removed(text)
    return without_credentials(text)


def _label(text: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
    """Return a label's value: a name such as `token` does not make it a credential, its look does."""
    return without_credentials(text) if isinstance(text, str) else _walk(text, depth + 1)


def _empty_pair(pair: Any) -> None:  # noqa: ANN401 - JSON
    if isinstance(pair, dict) and isinstance(pair.get("value"), str) and pair["value"]:
        pair["value"] = removed(pair["value"])


def _bulk(value: dict[str, Any]) -> Iterator[str]:
    """Yield the fields that no analysis reads and that are large: which fields a manager wrote."""
    if "fieldsV1" in value:
        yield "fieldsV1"

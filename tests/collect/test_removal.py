"""Of API objects goes what may be secret, and nothing that a check reads."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from analyzer.collect.removal import config_map_names, remove_secrets
from analyzer.load.cluster_source import KINDS
from analyzer.model.inputs import Input
from analyzer.parse.kubernetes_json import decode_objects
from tests.bundles import files_of

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def cleaned(item: dict[str, Any]) -> dict[str, Any]:
    item = copy.deepcopy(item)
    remove_secrets(item)
    return item


def test_values_of_variables_go_and_their_sources_stay() -> None:
    env = [
        {"name": "A", "value": "plain"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}},
        {"name": "C", "value": ""},
    ]
    pod = {"spec": {"initContainers": [{"env": env}]}}
    assert cleaned(pod)["spec"]["initContainers"][0]["env"] == [
        {"name": "A", "value": "<removed 5 bytes>"},
        *env[1:],
    ]


def test_applied_configuration_and_large_annotations_go() -> None:
    short = {"endpoints.kubernetes.io/over-capacity": "truncated"}
    item = {"metadata": {"annotations": {APPLIED: "{}", "large": "x" * 513, **short}}}
    assert cleaned(item)["metadata"]["annotations"] == {
        APPLIED: "<removed 2 bytes>",
        "large": "<removed 513 bytes>",
        **short,
    }


@pytest.mark.parametrize(
    "name",
    [
        "deploy.example.com/last-applied",
        "objectset.rio.cattle.io/applied",
        "kapp.k14s.io/original",
        "operator.example.com/original-spec",
    ],
)
def test_what_other_tools_applied_goes_too(name: str) -> None:
    assert cleaned({"annotations": {name: "{}"}}) == {"annotations": {name: "<removed 2 bytes>"}}


def test_what_lies_deeper_than_is_looked_goes() -> None:
    deep: Any = "token=abc1"
    for _ in range(150):
        deep = [deep]
    assert "abc1" not in json.dumps(cleaned({"spec": deep}))


FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "arguments": ({"args": ["--token", "abc"]}, {"args": ["--token", "<removed 3 bytes>"]}),
    "headers": (
        {"httpHeaders": [{"name": "X", "value": "y"}]},
        {"httpHeaders": [{"name": "X", "value": "<removed 1 bytes>"}]},
    ),
    "named": ({"options": {"password": "x"}}, {"options": {"password": "<removed 1 bytes>"}}),
    "messages": (
        {"message": "Get https://u:p@h/: EOF"},
        {"message": "Get https://<removed 3 bytes>@h/: EOF"},
    ),
    "managers": (
        {"managedFields": [{"manager": "m", "fieldsV1": {"f:x": {}}}]},
        {"managedFields": [{"manager": "m"}]},
    ),
    "binary": ({"binaryData": {"a": "AA=="}}, {}),
}
STAYS: dict[str, dict[str, Any]] = {
    "labels": {"labels": {"token": "a1"}, "selector": {"token": "a1"}},
    "options of DNS": {"dnsConfig": {"options": [{"name": "ndots", "value": "5"}]}},
}
FIELDS |= {name: (value, value) for name, value in STAYS.items()}


@pytest.mark.parametrize(("value", "clean"), FIELDS.values(), ids=FIELDS)
def test_fields_are_cleaned_by_what_they_are(value: dict[str, Any], clean: dict[str, Any]) -> None:
    assert cleaned(value) == clean


def test_config_maps_keep_network_configuration_and_lose_keys() -> None:
    data = {
        "Corefile": ".:53 {\n    kubernetes cluster.local\n}\n",
        "kubeconfig.conf": "users:\n- user:\n    tokenFile: /var/run/token\n    token: abc1\n",
        "tls.key": "-----BEGIN KEY-----\nab\n-----END KEY-----\n",
        "jws-kubeconfig-abcdef": "x..y",
    }
    clean = cleaned({"kind": "ConfigMap", "data": data})["data"]
    assert clean["Corefile"] == data["Corefile"]
    assert clean["kubeconfig.conf"] == data["kubeconfig.conf"].replace("abc1", "<removed 4 bytes>")
    assert clean["tls.key"] == f"<removed {len(data['tls.key'])} bytes>"
    assert clean["jws-kubeconfig-abcdef"] == "<removed 4 bytes>"


@pytest.mark.parametrize(
    ("name", "value", "goes"),
    [
        ("password.txt", "hunter2", True),
        ("tls.key", "MIIE", True),
        ("id_rsa", "b3Bl", True),
        (".htpasswd", "me:x", True),
        ("registry-creds.json", "x", True),
        ("config.conf", "mode: iptables", False),
        ("stubDomains", "{}", False),
    ],
)
def test_entries_of_config_maps_are_known_by_their_names(name: str, value: str, goes: bool) -> None:
    data = cleaned({"kind": "ConfigMap", "data": {name: value}})["data"]
    assert data[name] == (f"<removed {len(value)} bytes>" if goes else value)


@pytest.mark.parametrize(("minor", "name"), [(14, "kubelet-config-1.14"), (30, "kubelet-config")])
def test_only_named_config_maps_are_asked_for(minor: int, name: str) -> None:
    assert name in config_map_names(minor)
    assert not any("kubelet-config-1" in n for n in config_map_names(30))


@pytest.mark.parametrize("name", ["healthy", "nameserver-wrong", "old-kube-proxy"])
def test_what_checks_read_is_the_same_as_before(name: str) -> None:
    """The ConfigMap of kube-proxy, the environment of which nobody reads, and all else."""
    files = files_of(name)
    for source, kind in KINDS.items():
        path = source.path()
        if path not in files:
            continue
        document = json.loads(files[path])
        clean = {**document, "items": [cleaned(item) for item in document["items"]]}
        before = decode_objects(path, json.dumps(document).encode(), kind).value
        after = decode_objects(path, json.dumps(clean).encode(), kind).value
        if source is not Input.CONFIG_MAPS:
            assert after == before
        assert len(after) == len(before)

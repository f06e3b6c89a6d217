"""Secrets put into a cluster in every place where people leave them, and the search of a bundle for them."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.collect.api_server.capture import Capture

_BASIC = base64.b64encode(b"admin:Gf7-basic-Qp2wLx").decode()
_JWT = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IjNxIn0.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50Iiwic3ViIjoic3lzdGVtIn0."
    "c2lnbmF0dXJlLW9mLXRoZS1{place}LW5ldmVyLXRvLWJlLXNlZW4"
)
_KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEowIBAAKCAQEAz{place}1qWfPsUEgXcZZcRtDdKkW8bH0dyoAqXbq7n\n"
    "Zk5pYm9ndXMga2V5IHRoYXQgaXMgbm9uZSBidXQgbG9va3MgbGlrZSBvbmUx{place}\n"
    "-----END RSA PRIVATE KEY-----\n"
)


_KEY_DATA = "LS0tLS1CRUdJTiBSU0Eg{place}UFJJVkFURSBLRVktLS0tLQo="


@dataclass(slots=True)
class Planter:
    """Puts secrets into a capture; each value is unlike all others and is looked for in its own right."""

    files: dict[str, bytes]
    secrets: dict[str, str] = field(default_factory=dict)
    """The values by the place where they are."""

    def secret(self, place: str, form: str = "Zq7-{place}-8fKw2Vn4") -> str:
        """Return a value for a place; it may stand in a form that gives it away."""
        value = form.format(place=place.title().replace("-", ""))
        self.secrets[place] = value
        return value

    def each(self, resource: str, change: Callable[[dict[str, Any]], None]) -> None:
        path = f"cluster/{resource}.json"
        whole = json.loads(self.files[path])
        for item in whole["items"]:
            change(item)
        self.files[path] = json.dumps(whole).encode()

    def add(self, resource: str, *items: dict[str, Any]) -> None:
        path = f"cluster/{resource}.json"
        whole = json.loads(self.files.get(path, b'{"items": []}'))
        whole["items"] += items
        self.files[path] = json.dumps(whole).encode()


def plant(capture: Capture) -> tuple[Capture, dict[str, str]]:
    """Return a cluster full of secrets, and the secrets."""
    planter = Planter(dict(capture.files))
    _in_pods(planter)
    _in_workloads(planter)
    _in_config_maps(planter)
    _in_secrets(planter)
    _in_events_and_nodes(planter)
    _in_logs(planter)
    _on_nodes(planter)
    return Capture(planter.files), planter.secrets


def _in_pods(planter: Planter) -> None:
    values = [
        {"name": "DB_PASSWORD", "value": planter.secret("env")},
        {"name": "PLAIN", "value": planter.secret("env-plain", "correct horse {place} staple")},
    ]
    init = [{"name": "API_KEY", "value": planter.secret("env-init")}]
    arguments = [
        f"--db-password={planter.secret('argument')}",
        "--token",
        planter.secret("argument-after"),
        f"--dsn=postgres://app:{planter.secret('argument-url')}@db:5432/shop",
        f"root:{planter.secret('argument-go')}@tcp(db:3306)/shop",
        planter.secret("argument-bare", "npm_hZ8kq2Wm5L{place}xR7vTn1c"),
    ]
    client = ["mysqladmin", "ping", "-uroot", f"-p{planter.secret('argument-short')}"]
    applied = json.dumps(
        {"spec": {"containers": [{"env": [{"value": planter.secret("last-applied")}]}]}}
    )
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": applied,
        "vault.example.com/token": planter.secret("annotation", "hvs.CAESI{place}9sKq2LmNw8Rt4Yx"),
        "example.com/large": "x" * 3000 + planter.secret("annotation-large"),
        "objectset.rio.cattle.io/applied": planter.secret(
            "annotation-packed", "H4sI{place}AAAAAAA"
        ),
        "example.com/node-args": json.dumps(
            ["agent", "--token", planter.secret("annotation-list")]
        ),
        "example.com/jwt": planter.secret("annotation-jwt", _JWT),
    }
    said = f"login with password {planter.secret('termination')} failed"
    header = {"name": "Authorization", "value": f"Basic {planter.secret('probe-header', _BASIC)}"}
    hook = ["sh", "-c", f"curl -H 'X-Api-Key: {planter.secret('hook')}' http://127.0.0.1/stop"]
    probe = {"httpGet": {"path": "/", "port": 80, "httpHeaders": [header]}}

    def change(pod: dict[str, Any]) -> None:
        first = pod["spec"]["containers"][0]
        first["env"] = [*first.get("env", []), *values]
        if first["name"] != "kube-proxy":
            first["args"] = arguments
        first["livenessProbe"] = probe
        first["lifecycle"] = {"preStop": {"exec": {"command": hook}}}
        image = "registry.example.com/init:1"
        pod["spec"]["initContainers"] = [{"name": "init", "image": image, "env": init}]
        pod["spec"]["ephemeralContainers"] = [{"name": "look", "image": image, "command": client}]
        for status in pod["status"].get("containerStatuses", []):
            status["lastState"] = {"terminated": {"exitCode": 1, "message": said}}
        pod["metadata"]["annotations"] = {**pod["metadata"].get("annotations", {}), **annotations}

    planter.each("pods", change)


def _in_workloads(planter: Planter) -> None:
    value = planter.secret("template-env")
    annotation = planter.secret("template-annotation")

    def change(workload: dict[str, Any]) -> None:
        template = workload["spec"]["template"]
        template["spec"]["containers"][0]["env"] = [{"name": "SECRET", "value": value}]
        kept = {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": annotation})
        }
        workload["metadata"]["annotations"] = kept

    for resource in ("deployments", "daemonsets", "replicasets"):
        if f"cluster/{resource}.json" in planter.files:
            planter.each(resource, change)


def _in_config_maps(planter: Planter) -> None:
    def named(name: str, namespace: str, data: dict[str, str]) -> dict[str, Any]:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    kubeconfig = (
        "apiVersion: v1\nusers:\n- name: default\n  user:\n"
        f"    token: {planter.secret('kubeconfig-token', _JWT)}\n"
        f"    password: {planter.secret('kubeconfig-password')}\n"
        f"    client-key-data: {planter.secret('kubeconfig-key', _KEY_DATA)}\n"
    )

    def change(config: dict[str, Any]) -> None:
        if config["metadata"]["name"] == "kube-proxy":
            config["data"]["kubeconfig.conf"] = kubeconfig
        if config["metadata"]["name"] == "coredns":
            config["data"]["tls.key"] = planter.secret("config-key", _KEY)

    planter.each("configmaps", change)
    planter.add(
        "configmaps",
        named("app", "shop", {"password": planter.secret("config-app")}),
        named(
            "other", "kube-system", {"plain": planter.secret("config-other", "any {place} text")}
        ),
        named(
            "cluster-info",
            "kube-system",
            {"jws-kubeconfig-abcdef": planter.secret("config-jws", _JWT), "kubeconfig": kubeconfig},
        ),
    )


def _in_secrets(planter: Planter) -> None:
    value = base64.b64encode(planter.secret("secret").encode()).decode()
    metadata = {"name": "db", "namespace": "shop"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    planter.add("secrets", {**secret, "data": {"password": value}})


def _in_events_and_nodes(planter: Planter) -> None:
    said = f"pull failed: https://robot:{planter.secret('event-url')}@registry.example.com/v2/"
    token = planter.secret("node-annotation", _JWT)

    def event(item: dict[str, Any]) -> None:
        item["message"] = said

    def node(item: dict[str, Any]) -> None:
        item["metadata"].setdefault("annotations", {})["example.com/join-token"] = token

    planter.each("events", event)
    planter.each("nodes", node)


def _in_logs(planter: Planter) -> None:
    lines = (
        f"I1123 02:51:20.000001    1 round_trippers.go:1] Authorization: Bearer {planter.secret('log-bearer', _JWT)}",
        f'I1123 02:51:20.000002    1 flags.go:64] FLAG: --token="{planter.secret("log-flag")}"',
        f'E1123 02:51:20.000003    1 x.go:1] Get "https://kube:{planter.secret("log-url")}@10.0.0.1/": EOF',
        f"I1123 02:51:20.000004    1 x.go:1] using password={planter.secret('log-password')} for user",
        f"I1123 02:51:20.000005    1 x.go:1] key {planter.secret('log-aws', 'AKIAQX7LMN52PQR4TUVW')}",
        planter.secret("log-key", _KEY).rstrip(),
        "I1123 02:51:20.000005    1 x.go:1] token eyJhbGciOiJSUzI1NiIsIm",
        planter.secret("log-line", "9tZ8kq2{place}Wm5LxR7vTn1c"),
        f"E1123 02:51:20.000005    1 x.go:1] PUT https://s3.test/?X-Amz-Signature={planter.secret('log-signed')}&b=1",
        f'I1123 02:51:20.000006    1 x.go:1] {{"client_secret":"{planter.secret("log-json")}"}}',
    )
    text = "".join(f"{line}\n" for line in lines).encode()
    for path in list(planter.files):
        if path.endswith("/kube-proxy.log"):
            planter.files[path] += text
            planter.files[path.replace("kube-proxy.log", "kubelet.log")] = text


def _on_nodes(planter: Planter) -> None:
    """Plant what a kube-proxy container holds, and a command line with a token."""
    token = planter.secret("mounted-token", _JWT).encode()
    flag = planter.secret("command-line")
    for path in list(planter.files):
        node, _, name = path.removeprefix("nodes/").partition("/")
        if path.startswith("nodes/") and name == "processes.txt":
            planter.files[path] = planter.files[path].replace(
                b" --v=4", f" --v=4 --token={flag}".encode()
            )
            root = f"root/{node}/var"
            planter.files[f"{root}/run/secrets/kubernetes.io/serviceaccount/token"] = token
            planter.files[f"{root}/lib/kube-proxy/kubeconfig.conf"] = b"token: " + token


# --- the search ---


def found_in(path: Path, secrets: dict[str, str]) -> list[str]:
    """Return where a file, or anything packed in it, holds a secret: as it is, escaped, or in base64."""
    wanted = {form: place for place, value in secrets.items() for form in _forms(value)}
    return sorted(
        {
            f"{place} in {name}"
            for name, content in _contents(path.name, path.read_bytes())
            for form, place in wanted.items()
            if form in content
        }
    )


def _forms(value: str) -> Iterator[bytes]:
    for part in value.splitlines():
        if part.startswith("-----"):
            continue
        text = part.encode()
        yield text
        for shift in range(3):
            # What base64 makes of the inner bytes does not depend on what stands around them.
            coded = base64.b64encode(b"\0" * shift + text)
            inner = coded[4 if shift else 0 : len(coded) // 4 * 4 - 4]
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _contents(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data
    if data.startswith(b"\x1f\x8b"):
        try:
            inside = gzip.decompress(data)
        except (EOFError, OSError, zlib.error):
            inside = zlib.decompressobj(31).decompress(data)
        yield from _contents(f"{name} unpacked", inside)
    elif data[257:262] == b"ustar":
        yield from _members(name, data)


def _members(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield from _contents(f"{name}/{member.name}", content.read())
